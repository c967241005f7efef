import { execFileSync } from "node:child_process";
import { cpus, freemem, loadavg, release, totalmem } from "node:os";

export type Environment = ReturnType<typeof environmentOf>;

/** What the figures are measured on, and how busy it is before; without it they mean little. */
export function environmentOf(engine: string) {
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    freeGiB: Math.round(freemem() / 1024 ** 3),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    kernel: release(),
    node: process.version,
    engine,
    path: "client, control plane and agent-host on one machine, over loopback",
  };
}

/** Others at work on the machine make every figure worse, and differently so. */
export function isQuiet({ loadBefore, cores }: Pick<Environment, "loadBefore" | "cores">): boolean {
  return loadBefore <= cores / 4;
}

function commit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
  try {
    return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain") === "" ? "" : ", changed");
  } catch {
    return "unknown";
  }
}
