import type { RootAccess } from "./runner.ts";

/** What a look at the machine found out about its Docker engine. */
export type EngineFacts = {
  socketPath: string;
  /** `denied`: something listens there, but not for this user. */
  socket: "answers" | "denied" | "silent";
  /** Whether DOCKER_HOST names the socket: whoever set it means that engine and no other. */
  isNamed: boolean;
  /** The live process in the engine's pid file, which may be about to answer. */
  daemonPid: number | undefined;
  isInstalled: boolean;
  hasApt: boolean;
  hasSystemd: boolean;
  access: RootAccess;
};

export type EngineDecision =
  | { action: "use" | "relay" | "wait" | "install" | "start" | "startService" }
  | { action: "stop"; sentence: string };

/** Decides what to do next about the engine; after each step the machine is looked at again. */
export function decideEngine(facts: EngineFacts): EngineDecision {
  const { socketPath, socket, access } = facts;
  if (socket === "answers") return { action: "use" };
  if (socket === "denied") {
    if (access !== "none") return { action: "relay" };
    return stop(
      `The Docker engine at ${socketPath} does not let this user in: run this as root, with passwordless sudo, or as a member of the group docker.`,
    );
  }
  if (facts.isNamed)
    return stop(
      `No Docker engine answers at ${socketPath}, which DOCKER_HOST names: start it or unset DOCKER_HOST.`,
    );
  if (facts.daemonPid !== undefined) return { action: "wait" };
  if (access === "none")
    return stop(
      `No Docker engine runs here: ${byHand(facts)}, or run this as root or with passwordless sudo.`,
    );
  if (facts.isInstalled) return { action: facts.hasSystemd ? "startService" : "start" };
  if (facts.hasApt) return { action: "install" };
  return stop(`No Docker engine runs here: ${byHand(facts)}.`);
}

function byHand({ hasApt, isInstalled, hasSystemd }: EngineFacts): string {
  const start = hasSystemd ? "sudo systemctl start docker" : "sudo dockerd";
  if (isInstalled) return `start it (${start})`;
  if (hasApt) return "install it (sudo apt-get install docker.io)";
  return `install Docker with this system's package manager and start it (${start})`;
}

function stop(sentence: string): EngineDecision {
  return { action: "stop", sentence };
}
