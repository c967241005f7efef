import { readFileSync } from "node:fs";

/** Where the control files of one container are, by controller; on cgroup v2 one folder serves for all. */
export type CgroupPaths =
  | {
      version: 1;
      memory: string;
      cpu: string;
      cpuAccounting: string;
      pids: string;
      freezer: string;
      /** Absent where the kernel does not count input and output. */
      blockIo?: string;
    }
  | { version: 2; unified: string };

type ReadText = (path: string) => string;
const readText: ReadText = (path) => readFileSync(path, "utf8");

/**
 * Finds a container's cgroup folders by its first process, so that any cgroup driver and any parent folder will do.
 * What is found is frozen and killed as a whole, and a process that is ending shows as a member of the root, a pid
 * that was given out anew as a member of anything: only folders that bear the container's name are its own.
 * @throws Error when the process is gone, is another's, or a controller that we need is not mounted.
 */
export function cgroupPathsOf(pid: number, containerId: string, read: ReadText = readText): CgroupPaths {
  const mounts = parseMounts(read("/proc/self/mountinfo"));
  const membership = parseMembership(read(`/proc/${pid}/cgroup`));
  const paths = findFolders(mounts, membership);
  for (const [name, path] of Object.entries(paths)) {
    if (name !== "version" && !String(path).includes(containerId))
      throw new Error(`The process ${pid} is not in the container's cgroup ${name}; it has ended.`);
  }
  return paths;
}

function findFolders(mounts: Mount[], membership: Map<string, string>): CgroupPaths {
  if (membership.has("memory")) {
    return {
      version: 1,
      memory: v1Folder("memory", mounts, membership),
      cpu: v1Folder("cpu", mounts, membership),
      cpuAccounting: v1Folder("cpuacct", mounts, membership),
      pids: v1Folder("pids", mounts, membership),
      freezer: v1Folder("freezer", mounts, membership),
      ...(membership.has("blkio") && { blockIo: v1Folder("blkio", mounts, membership) }),
    };
  }
  const mount = mounts.find((candidate) => candidate.type === "cgroup2");
  const path = membership.get("");
  if (!mount || path === undefined)
    throw new Error("No cgroup file system with a memory controller is mounted.");
  return { version: 2, unified: mount.point + path };
}

type Mount = { type: string; point: string; controllers: string[] };

function parseMounts(mountinfo: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of mountinfo.split("\n")) {
    const [left, right] = line.split(" - ");
    const point = left?.split(" ")[4];
    const [type, , options] = right?.split(" ") ?? [];
    if (point && type && (type === "cgroup" || type === "cgroup2")) {
      mounts.push({ type, point, controllers: (options ?? "").split(",") });
    }
  }
  return mounts;
}

/** Lines are `id:controllers:path`; the unified hierarchy has an empty list of controllers. */
function parseMembership(text: string): Map<string, string> {
  const membership = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, controllers, ...path] = line.split(":");
    if (controllers === undefined) continue;
    for (const controller of controllers.split(",")) membership.set(controller, path.join(":"));
  }
  return membership;
}

function v1Folder(controller: string, mounts: Mount[], membership: Map<string, string>): string {
  const mount = mounts.find(
    (candidate) => candidate.type === "cgroup" && candidate.controllers.includes(controller),
  );
  const path = membership.get(controller);
  if (!mount || path === undefined) throw new Error(`The cgroup controller ${controller} is not mounted.`);
  return mount.point + path;
}
