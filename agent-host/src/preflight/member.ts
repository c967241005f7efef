import { readFileSync } from "node:fs";
import { freeze, thaw } from "../cgroup/freeze.ts";
import { processesOf } from "../cgroup/kill.ts";
import { type CgroupLimits, writeLimits } from "../cgroup/limits.ts";
import type { CgroupPaths } from "../cgroup/paths.ts";
import type { Finding } from "./finding.ts";

export type ProbedMember = { cgroup: CgroupPaths; limits: CgroupLimits };

/** Tries on a real, unused sandbox what leases will rely on. */
export async function inspectMember(member: ProbedMember): Promise<Finding[]> {
  const pid = processesOf(member.cgroup)[0];
  if (pid === undefined) {
    return [
      { name: "process ids", status: "failed", detail: "the sandbox's processes are not visible from here" },
    ];
  }
  return [confinement(pid), await freezing(member.cgroup), limitWriting(member.cgroup, member.limits)];
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
