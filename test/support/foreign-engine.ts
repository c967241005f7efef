import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createEngine, type Engine } from "#host/engine/request";
import { importTar } from "#templates/images";
import { scratchFolder } from "./machine.ts";

export type ForeignEngine = {
  dockerHost: string;
  engine: Engine;
  /** The names of its containers, whatever their state. */
  containers(): Promise<string[]>;
  /** The names of its images; one without a name is `<none>:<none>`. */
  images(): Promise<string[]>;
  /** What changes when somebody stops, restarts, renames or changes the container of its owner. */
  neighbor(): Promise<unknown>;
  removeImage(image: string): Promise<void>;
  /** Ends it and removes all it made. */
  stop(): Promise<void>;
};

const answerMs = 30_000;
const callMs = 30_000;
const copyMs = 120_000;
export const neighborImage = "somebody/else:1";
const neighborName = "somebody-else";

/**
 * A Docker engine that somebody else has set up beside the machine's own, with a socket, folders and settings of its
 * own and a container that runs.
 * @param prefix a command that starts it in other surroundings, such as `unshare --mount`
 */
export async function foreignEngine(prefix: readonly string[] = []): Promise<ForeignEngine> {
  const folder = scratchFolder();
  const at = (name: string) => join(folder.path, name);
  const flags = [
    ["--host", `unix://${at("s")}`],
    ["--data-root", at("data")],
    ["--exec-root", at("x")],
    ["--pidfile", at("pid")],
    ["--bridge", "none"],
    ["--iptables=false"],
  ].flat();
  const [program = "dockerd", ...args] = [...prefix, "dockerd", ...flags];
  const log = openSync(at("log"), "w", 0o600);
  const daemon = spawn(program, args, { stdio: ["ignore", log, log] });
  closeSync(log);
  const ended = once(daemon, "exit");
  const engine = createEngine(at("s"));
  const call = <T>(path: string) => engine.json<T>({ method: "GET", path, deadlineMs: callMs });
  const foreign: ForeignEngine = {
    dockerHost: `unix://${at("s")}`,
    engine,
    async containers() {
      const listed = await call<{ Names: string[] }[]>("/containers/json?all=1");
      return listed.map(({ Names }) => String(Names[0]?.slice(1)));
    },
    async images() {
      const listed = await call<{ RepoTags: string[] | null }[]>("/images/json");
      return listed.flatMap(({ RepoTags }) => RepoTags ?? ["<none>:<none>"]).sort();
    },
    async neighbor() {
      type Inspected = {
        Id: string;
        Name: string;
        RestartCount: number;
        State: unknown;
        HostConfig: unknown;
      };
      const { Id, Name, RestartCount, State, HostConfig } = await call<Inspected>(
        `/containers/${neighborName}/json`,
      );
      return { Id, Name, RestartCount, State, HostConfig };
    },
    async removeImage(image) {
      await engine.text({ method: "DELETE", path: `/images/${image}`, deadlineMs: callMs });
    },
    async stop() {
      if (daemon.exitCode === null && daemon.signalCode === null) {
        const names = await foreign.containers().catch(() => []);
        for (const name of names) await removeContainer(engine, name);
        daemon.kill("SIGTERM");
        await ended;
      }
      engine.close();
      unmountBelow(folder.path);
      folder.dispose();
    },
  };
  try {
    await answering(
      engine,
      ended.then(() => readFileSync(at("log"), "utf8")),
    );
    await startNeighbor(engine);
    return foreign;
  } catch (cause) {
    await foreign.stop();
    throw cause;
  }
}

/** `docker save | docker load`, for tests of what an image is used for and not of how it is made. */
export async function copyImage(image: string, from: Engine, to: Engine): Promise<void> {
  const stream = await from.open({ method: "GET", path: `/images/${image}/get`, deadlineMs: copyMs });
  const headers = { "content-type": "application/x-tar" };
  await to.text({ method: "POST", path: "/images/load?quiet=1", headers, stream, deadlineMs: copyMs });
}

async function answering(engine: Engine, lastWords: Promise<string>): Promise<void> {
  const endMs = performance.now() + answerMs;
  const ping = { method: "GET", path: "/_ping", deadlineMs: 1_000 } as const;
  while (!(await engine.text(ping).catch(() => undefined))) {
    const said = await Promise.race([lastWords, sleep(50)]);
    if (said !== undefined) throw new Error(`The engine ended: ${said}`);
    if (performance.now() > endMs) throw new Error("The engine does not answer.");
  }
}

/** A container of an image that holds `sleep` and what it needs, so that nothing of ours is its owner's too. */
async function startNeighbor(engine: Engine): Promise<void> {
  const libraries = execFileSync("ldd", ["/bin/sleep"], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  const tar = spawn(
    "tar",
    ["-c", "-h", "-C", "/", "--", ...["/bin/sleep", ...libraries].map((p) => p.slice(1))],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const [repo = "", tag = ""] = neighborImage.split(":");
  await importTar(engine, new URLSearchParams({ fromSrc: "-", repo, tag }), tar.stdout);
  const body = { Image: neighborImage, Cmd: ["/bin/sleep", "3600"], HostConfig: { NetworkMode: "none" } };
  const path = `/containers/create?name=${neighborName}`;
  await engine.text({ method: "POST", path, body, deadlineMs: callMs });
  await engine.text({ method: "POST", path: `/containers/${neighborName}/start`, deadlineMs: callMs });
}

async function removeContainer(engine: Engine, name: string): Promise<void> {
  const path = `/containers/${name}?force=1&v=1`;
  await engine.text({ method: "DELETE", path, deadlineMs: callMs }).catch(() => undefined);
}

/** What an engine that was stopped in the middle of something has left mounted. */
function unmountBelow(path: string): void {
  const mounted = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point.startsWith(`${path}/`));
  for (const point of mounted.reverse()) execFileSync("umount", [point]);
}
