import { createEngine, EngineError, engineSocketPath } from "#host/engine/request";
import type { Report, Runner } from "#templates/runner";
import { StopError } from "#templates/stop";
import { type DaemonPaths, ownDaemon, readPidFile, startDaemon } from "./daemon.ts";
import { decideEngine, type EngineFacts } from "./engine-decision.ts";
import { hasCommand, isPresent } from "./packages.ts";
import { openRelay } from "./relay.ts";
import { rootAccess } from "./runner.ts";

export type MachineEngine = {
  /** Where the engine itself listens: what the agent-host, which is root, dials. */
  socketPath: string;
  /** Where this process dials it: the same, or a relay when the engine lets only root in. */
  dialPath: string;
  startedByUs: boolean;
  /** Whether it was this very run that started it. */
  startedNow: boolean;
  close(): Promise<void>;
};

type EngineInput = { dockerHost: string; paths: DaemonPaths; runner: Runner; report: Report };

const enginePackages = ["docker.io", "apparmor", "ca-certificates"];
const answerSeconds = 30;
/** install, wait, start, wait, relay: more rounds than that mean that nothing helps. */
const maxSteps = 6;

/**
 * Finds the machine's Docker engine, or installs and starts one where there is none. An engine that somebody else
 * started is used as it is: never restarted, never configured.
 * @throws StopError or EngineError with one sentence that says what to do
 */
export async function ensureEngine(input: EngineInput): Promise<MachineEngine> {
  const { dockerHost, paths, runner, report } = input;
  const socketPath = dockerHost === "" ? paths.socketPath : engineSocketPath(dockerHost);
  let startedNow = false;
  for (let step = 0; step < maxSteps; step++) {
    const decision = decideEngine(await findFacts(socketPath, dockerHost !== "", paths));
    switch (decision.action) {
      case "use":
        return found({ socketPath, dialPath: socketPath, paths, startedNow, close: async () => {} });
      case "relay": {
        const relay = await openRelay(socketPath);
        return found({ socketPath, dialPath: relay.path, paths, startedNow, close: relay.close });
      }
      case "stop":
        throw new StopError(decision.sentence);
      case "wait":
        await waitForEngine(socketPath, `The Docker daemon runs but does not answer at ${socketPath}.`);
        break;
      case "install":
        report("No Docker engine runs here: installing docker.io from the distribution.");
        await runner.install([{ provides: "dockerd", packages: enginePackages }]);
        // Without systemd the package may have started a daemon that nobody else will ever stop.
        startedNow = !(await hasSystemd());
        break;
      case "startService":
        report("Starting the system's docker service.");
        await runner.runAsRoot(["systemctl", "start", "docker"]);
        await waitForEngine(
          socketPath,
          "The docker service was started but does not answer; see systemctl status docker.",
        );
        break;
      case "start":
        report("Starting dockerd.");
        await startDaemon({ paths, isReady: () => answers(socketPath), waitMs: answerSeconds * 1000 });
        startedNow = true;
        break;
    }
  }
  throw new StopError(
    `No Docker engine could be brought up at ${socketPath}; start one by hand and try again.`,
  );
}

type Found = Omit<MachineEngine, "startedByUs"> & { paths: DaemonPaths };

async function found({ paths, ...engine }: Found): Promise<MachineEngine> {
  const startedByUs = await ownDaemon(paths, engine.startedNow);
  return { ...engine, startedNow: engine.startedNow && startedByUs, startedByUs };
}

async function findFacts(socketPath: string, isNamed: boolean, paths: DaemonPaths): Promise<EngineFacts> {
  const socket = await socketState(socketPath);
  const facts = { socketPath, socket, isNamed, daemonPid: undefined, isInstalled: true, hasApt: false };
  // The usual case costs one ping and nothing else.
  if (socket === "answers") return { ...facts, hasSystemd: false, access: "none" };
  return {
    ...facts,
    daemonPid: await readPidFile(paths.pidFile),
    isInstalled: await hasCommand("dockerd"),
    hasApt: await hasCommand("apt-get"),
    hasSystemd: await hasSystemd(),
    access: await rootAccess(),
  };
}

async function socketState(socketPath: string): Promise<EngineFacts["socket"]> {
  const engine = createEngine(socketPath);
  try {
    await engine.text({ method: "GET", path: "/_ping", deadlineMs: 5_000 });
    return "answers";
  } catch (error) {
    const cause = error instanceof EngineError ? error.cause : undefined;
    const isDenied =
      cause instanceof Error && "code" in cause && (cause.code === "EACCES" || cause.code === "EPERM");
    return isDenied ? "denied" : "silent";
  } finally {
    engine.close();
  }
}

async function answers(socketPath: string): Promise<boolean> {
  return (await socketState(socketPath)) !== "silent";
}

async function waitForEngine(socketPath: string, sentence: string): Promise<void> {
  const deadlineMs = Date.now() + answerSeconds * 1000;
  while (!(await answers(socketPath))) {
    if (Date.now() > deadlineMs) throw new StopError(sentence);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// The test that systemd itself documents.
function hasSystemd(): Promise<boolean> {
  return isPresent("/run/systemd/system");
}
