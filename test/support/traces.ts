import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createEngine, engineSocketPath } from "#host/engine/request";
import { label } from "#host/runtime/docker/container";
import { uidFolder } from "#host/uids/claim";
import { probeOwnerLabel } from "../../scripts/start/probe-leftovers.ts";

export const runDir = "/run/sandgate";
export const engine = createEngine(engineSocketPath(process.env.DOCKER_HOST));
const engineMs = 30_000;

export type Container = { id: string; memberId: string; uid: number; isRunning: boolean };
type Listed = { Id: string; State: string; Labels: Record<string, string> };

/** Who this data folder's host is; other hosts of the machine are somebody else's. */
export function hostIdOf(dataDir: string): string {
  return JSON.parse(readFileSync(join(dataDir, "host", "host.json"), "utf8")).hostId;
}

/** Every container of one host, running or not. */
export async function containersOf(hostId: string): Promise<Container[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`${label.host}=${hostId}`] }));
  const path = `/containers/json?all=1&filters=${filters}`;
  const listed = await engine.json<Listed[]>({ method: "GET", path, deadlineMs: engineMs });
  return listed.map(({ Id, State, Labels }) => ({
    id: Id,
    memberId: Labels[label.member] ?? "",
    uid: Number(Labels[label.slot]),
    isRunning: State === "running",
  }));
}

/**
 * The pid of a container's PID 1, as this machine sees it.
 * @throws Error when it does not run: a signal to the 0 that the engine then says would go to the tests themselves.
 */
export async function firstProcessOf({ id }: Pick<Container, "id">): Promise<number> {
  const path = `/containers/${id}/json`;
  const inspected = await engine.json<{ State: { Pid: number } }>({
    method: "GET",
    path,
    deadlineMs: engineMs,
  });
  if (inspected.State.Pid <= 0) throw new Error(`The container ${id} does not run.`);
  return inspected.State.Pid;
}

/** A process's state as the kernel's letter for it: `T` is stopped. */
export function processStateOf(pid: number): string {
  const line = readText(`/proc/${pid}/stat`);
  return line.slice(line.lastIndexOf(")") + 2).charAt(0);
}

/**
 * The process that the engine keeps beside a container: the parent of its PID 1.
 * @throws Error when that is something else
 */
export function shimOf(firstProcess: number): number {
  const line = readText(`/proc/${firstProcess}/stat`);
  const [, parent] = line.slice(line.lastIndexOf(")") + 2).split(" ");
  if (!readText(`/proc/${parent}/cmdline`).includes("containerd-shim")) throw new Error("It has no shim.");
  return Number(parent);
}

/** `docker rm -f`, as somebody who does not know us would do it. */
export async function removeContainer({ id }: Pick<Container, "id">): Promise<void> {
  await engine.text({ method: "DELETE", path: `/containers/${id}?force=1`, deadlineMs: engineMs });
}

/** The containers and images with which some processes try the engine, and the folders that the containers see. */
export async function probesOf(pids: ReadonlySet<number>): Promise<{ id: string; folders: string[] }[]> {
  type Probe = {
    Id: string;
    Labels: Record<string, string>;
    Mounts?: { Source: string; Destination: string }[];
  };
  const filters = encodeURIComponent(JSON.stringify({ label: [probeOwnerLabel] }));
  const list = (path: string) =>
    engine.json<Probe[]>({ method: "GET", path: `${path}filters=${filters}`, deadlineMs: engineMs });
  const found = [...(await list("/containers/json?all=1&")), ...(await list("/images/json?"))];
  return found
    .filter(({ Labels }) => pids.has(Number(Labels[probeOwnerLabel]?.split(" ")[1])))
    .map(({ Id, Mounts = [] }) => ({
      id: Id,
      folders: Mounts.filter(({ Destination }) => Destination === "/run/sandgate").map(
        ({ Source }) => Source,
      ),
    }));
}

/** The member folders of one host. */
export function foldersOf(hostId: string): string[] {
  return namesIn(runDir).filter((name) => readText(join(runDir, name, "owner")) === hostId);
}

/** The uids that one host has claimed. */
export function uidsOf(hostId: string): number[] {
  return namesIn(uidFolder)
    .filter((name) => readText(join(uidFolder, name)).includes(`"${hostId}"`))
    .map(Number);
}

/** Processes of this machine that were started for a data folder: the stack's own, whoever their parent is. */
export function processesOf(dataDir: string): string[] {
  return namesIn("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => readText(`/proc/${pid}/environ`).split("\0").includes(`SANDGATE_DATA_DIR=${dataDir}`))
    .map((pid) => `${pid} ${readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
}

/** Mounts that mention one of the given paths. */
export function mountsOf(paths: readonly string[]): string[] {
  return readText("/proc/self/mountinfo")
    .split("\n")
    .filter((line) => paths.some((path) => line.includes(path)));
}

/** What is mounted at a path and below it, the oldest first. */
export function mountPointsOf(path: string): string[] {
  const points = readText("/proc/self/mountinfo")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point === path || point.startsWith(`${path}/`));
}

/** The images below a folder that loop devices of this machine hold, also those that were deleted meanwhile. */
export function loopDevicesOf(folder: string): string[] {
  const held = (name: string) => readText(`/sys/block/${name}/loop/backing_file`).trim();
  return namesIn("/sys/block")
    .map(held)
    .filter((image) => image.startsWith(folder));
}

/** Where the disks of a host's members are mounted, and where their images are. */
export const workspaceRootOf = (hostId: string) => join(runDir, `workspaces-${hostId}`);
export const imagesOf = (dataDir: string) => namesIn(join(dataDir, "host", "workspaces"));

/** Everything on this machine that is there because of one host; nothing of it may outlive a stop. */
export async function tracesOf(dataDir: string, hostId: string) {
  const folders = foldersOf(hostId);
  const root = workspaceRootOf(hostId);
  return {
    containers: await containersOf(hostId),
    folders: [...folders, ...namesIn(runDir).filter((name) => name === basename(root))],
    uids: uidsOf(hostId),
    mounts: mountsOf([root, ...folders.map((name) => join(runDir, name))]),
    loopDevices: loopDevicesOf(dataDir),
    images: imagesOf(dataDir),
    processes: processesOf(dataDir),
  };
}
export const noTraces = {
  containers: [],
  folders: [],
  uids: [],
  mounts: [],
  loopDevices: [],
  images: [],
  processes: [],
};

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The text of a file, empty where there is none. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
