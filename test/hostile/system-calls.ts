import { execFileSync } from "node:child_process";
import { expect } from "vitest";
import { seccompProfile } from "#host/runtime/docker/seccomp";

type Rule = { names: string[]; action: string; args?: unknown[] };

/** Above the last call of any kernel so far; the gaps are tried too. */
const numbersMax = 560;
/** Calls that are younger than some distributions' headers; their numbers are the same everywhere. */
const young = { fchmodat2: 452, futex_wake: 454, futex_wait: 455, futex_requeue: 456 };
/** Numbers that no unconditional rule of the profile names, by this machine's own table of system calls. */
export function unlistedNumbers(): number[] {
  const profile = JSON.parse(seccompProfile(process.arch === "arm64" ? "arm64" : "x64")) as {
    syscalls: Rule[];
  };
  const rules = profile.syscalls.filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && !args);
  const numbers = systemCalls();
  expect(numbers.get("getpid"), "the table was read").toBeGreaterThan(0);
  const listed = new Set(rules.flatMap(({ names }) => names.map((name) => numbers.get(name))));
  return Array.from({ length: numbersMax }, (_, number) => number).filter((number) => !listed.has(number));
}

function systemCalls(): Map<string, number> {
  const macros = execFileSync("gcc", ["-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], {
    encoding: "utf8",
  });
  const found = [...macros.matchAll(/^#define __NR_(\w+) (\d+)$/gm)];
  const named = found.map(([, name = "", number]) => [name, Number(number)] as const);
  return new Map([...Object.entries(young), ...named]);
}
