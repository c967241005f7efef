import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Engine } from "#host/engine/request";
import { importTar } from "#templates/images";
import { StopError } from "#templates/stop";
import { probeOwner, probeOwnerLabel, removeProbeLeftovers } from "./probe-leftovers.ts";

type ProbeInput = {
  engine: Engine;
  sandboxdPath: string;
  dataDir: string;
  runDir: string;
  /** Ends the waiting; what was made is removed then too. */
  signal?: AbortSignal | undefined;
};

const dialMs = 10_000;
const callMs = 30_000;

/**
 * Makes sure that the engine shares this machine's files and processes, by what the product itself relies on: a
 * sandboxd in a container must reach a socket of ours, and we must see its process. Asked once per engine.
 * @throws StopError when the engine lives in a virtual machine or on another machine, or the signal's reason
 */
export async function ensureSharedMachine(input: ProbeInput): Promise<{ probed: boolean }> {
  const { ID: engineId } = await input.engine.json<{ ID: string }>({
    method: "GET",
    path: "/info",
    deadlineMs: callMs,
  });
  const recordPath = join(input.dataDir, "engine-shares-machine");
  if ((await readFile(recordPath, "utf8").catch(() => "")) === engineId) return { probed: false };
  await probeInContainer(input);
  await mkdir(input.dataDir, { recursive: true, mode: 0o700 });
  await writeFile(recordPath, engineId);
  return { probed: true };
}

async function probeInContainer({ engine, sandboxdPath, runDir, signal }: ProbeInput): Promise<void> {
  await removeProbeLeftovers(engine);
  const owner = await probeOwner();
  const member = randomBytes(4).toString("hex");
  const image = `sandgate/probe:${member}`;
  const folder = await socketFolder(runDir);
  const dialled = listenOnce(join(folder, "sock"), signal);
  let containerId: string | undefined;
  try {
    await dialled.listening;
    // Two empty blocks are a whole tar: an image with nothing in it needs no registry.
    await importTar(
      engine,
      new URLSearchParams({
        fromSrc: "-",
        repo: image,
        changes: `LABEL ${probeOwnerLabel}=${JSON.stringify(owner)}`,
      }),
      Readable.from([Buffer.alloc(1024)]),
    );
    containerId = await createContainer(engine, { image, owner, member, sandboxdPath, folder });
    await engine.text({ method: "POST", path: `/containers/${containerId}/start`, deadlineMs: callMs });
    const hasDialled = await dialled.connected;
    signal?.throwIfAborted();
    if (!hasDialled) throw new StopError(notShared("files", engine.socketPath));
    if (!(await isVisible(engine, containerId)))
      throw new StopError(notShared("processes", engine.socketPath));
  } finally {
    dialled.close();
    if (containerId !== undefined) await remove(engine, `/containers/${containerId}?force=1&v=1`);
    await remove(engine, `/images/${image}?force=1`);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Where sandboxes dial in later, so that an engine with a view of its own of that folder is found out. */
async function socketFolder(runDir: string): Promise<string> {
  if (process.getuid?.() !== 0) return mkdtemp(join(tmpdir(), "sandgate-probe-"));
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  return mkdtemp(join(runDir, "probe-"));
}

function listenOnce(path: string, signal: AbortSignal | undefined) {
  const server = createServer();
  const listening = new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(path, resolve);
  });
  const connected = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), dialMs);
    signal?.addEventListener("abort", () => resolve(false), { once: true });
    server.once("connection", (socket) => {
      clearTimeout(timer);
      // Kept open: sandboxd would end with the connection, and its process is looked at next.
      socket.on("error", () => socket.destroy());
      server.once("close", () => socket.destroy());
      resolve(true);
    });
    server.once("close", () => clearTimeout(timer));
  });
  return { listening, connected, close: () => server.close() };
}

type ContainerInput = { image: string; owner: string; member: string; sandboxdPath: string; folder: string };

async function createContainer(engine: Engine, input: ContainerInput) {
  const { image, owner, member, sandboxdPath, folder } = input;
  const uid = "65534";
  const body = {
    Image: image,
    Cmd: ["/sandboxd", "--member", member, "--uid", uid, "--gid", uid],
    Labels: { [probeOwnerLabel]: owner },
    HostConfig: {
      NetworkMode: "none",
      Binds: [`${sandboxdPath}:/sandboxd:ro`, `${folder}:/run/sandgate:ro`],
    },
  };
  const path = `/containers/create?name=sandgate-probe-${member}`;
  const created = await engine.json<{ Id: string }>({ method: "POST", path, body, deadlineMs: callMs });
  return created.Id;
}

async function isVisible(engine: Engine, containerId: string): Promise<boolean> {
  const path = `/containers/${containerId}/json`;
  const { State } = await engine.json<{ State: { Pid: number } }>({
    method: "GET",
    path,
    deadlineMs: callMs,
  });
  const command = await readFile(`/proc/${State.Pid}/cmdline`, "utf8").catch(() => "");
  return command.startsWith("/sandboxd\0");
}

// The first error is the one worth telling; what cannot be removed carries our label, and the next probe removes it.
async function remove(engine: Engine, path: string): Promise<void> {
  await engine.text({ method: "DELETE", path, deadlineMs: callMs }).catch(() => undefined);
}

function notShared(what: string, socketPath: string): string {
  return `The Docker engine at ${socketPath} does not share this machine's ${what} (it runs in a virtual machine or on another one): install Docker on this machine itself, or run this where the engine runs.`;
}
