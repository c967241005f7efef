import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { freeze, thaw } from "../cgroup/freeze.ts";
import { processesOf } from "../cgroup/kill.ts";
import { type CgroupLimits, writeLimits } from "../cgroup/limits.ts";
import type { CgroupPaths } from "../cgroup/paths.ts";
import type { Finding } from "./finding.ts";

export type ProbedMember = { cgroup: CgroupPaths; folder: string; limits: CgroupLimits };

/** Tries on a real, unused sandbox what leases will rely on. */
export async function inspectMember(member: ProbedMember): Promise<Finding[]> {
  const pid = processesOf(member.cgroup)[0];
  if (pid === undefined) {
    return [
      { name: "process ids", status: "failed", detail: "the sandbox's processes are not visible from here" },
    ];
  }
  return [
    confinement(pid),
    await freezing(member.cgroup),
    limitWriting(member.cgroup, member.limits),
    propagation(pid, member.folder),
  ];
}

function confinement(pid: number): Finding {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const isFiltered = /^Seccomp:\s+2$/m.test(status) && /^NoNewPrivs:\s+1$/m.test(status);
  return isFiltered
    ? { name: "seccomp", status: "ok", detail: "our own allow-list is in force" }
    : { name: "seccomp", status: "failed", detail: "the filter is not in force" };
}

async function freezing(cgroup: CgroupPaths): Promise<Finding> {
  const isFrozen = await freeze(cgroup);
  thaw(cgroup);
  return isFrozen
    ? { name: "freeze", status: "ok", detail: "" }
    : {
        name: "freeze",
        status: "failed",
        detail: "the freezer does not work; sandboxes could not be killed safely",
      };
}

function limitWriting(cgroup: CgroupPaths, limits: CgroupLimits): Finding {
  try {
    writeLimits(cgroup, { ...limits, memoryMiB: limits.memoryMiB + 64 });
    writeLimits(cgroup, limits);
    return { name: "limits", status: "ok", detail: "written directly" };
  } catch (cause) {
    return { name: "limits", status: "failed", detail: `the kernel refused: ${String(cause)}` };
  }
}

/** Workspaces are mounted on the host and must appear inside a container that already runs. */
function propagation(pid: number, folder: string): Finding {
  const point = join(folder, "probe");
  try {
    mkdirSync(point);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k", "sandgate-probe", point]);
    try {
      const isSeen = readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes("sandgate-probe");
      return isSeen
        ? { name: "mount propagation", status: "ok", detail: "" }
        : {
            name: "mount propagation",
            status: "ok",
            detail: "none here; workspaces are in memory and need none",
          };
    } finally {
      execFileSync("umount", [point]);
      rmdirSync(point);
    }
  } catch (cause) {
    return { name: "mount propagation", status: "warning", detail: String(cause) };
  }
}

/** Whether the file system of a path passes mounts on; the engine refuses `rslave` where it does not. */
export function propagationOf(path: string, mountinfo: string): "rslave" | "rprivate" {
  let best = { point: "", isShared: false };
  for (const line of mountinfo.split("\n")) {
    const [left] = line.split(" - ");
    const [, , , , point = "", , ...optional] = left?.split(" ") ?? [];
    const isAbove = path === point || path.startsWith(point.endsWith("/") ? point : `${point}/`);
    if (point !== "" && isAbove && point.length >= best.point.length) {
      best = { point, isShared: optional.some((field) => /^(shared|master):/.test(field)) };
    }
  }
  return best.isShared ? "rslave" : "rprivate";
}
