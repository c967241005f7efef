import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { TestStack } from "../support/stack.ts";
import { BenchClient } from "./client.ts";
import { summarize, timed } from "./measure.ts";
import type { Row } from "./report.ts";

const megabytes = 100;
const rounds = 5;

/**
 * One large file each way, a few times, and by how much the programs it passes through grew at their largest. Client,
 * control plane, host and sandbox share the machine's cores, so a rate is that of all of them together.
 */
export async function bulkCases(stack: TestStack, entry: string): Promise<Row[]> {
  const api = new BenchClient(stack.url, stack.apiKey);
  const { id } = await api.create();
  const content = randomBytes(megabytes * 1_000_000);
  const growths = [
    { name: "control plane", ...growthOf(runtimeOf(stack.controlPlane.pid)) },
    { name: "agent-host", ...growthOf(stack.agentHost.pid) },
  ];
  const upMs: number[] = [];
  const downMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Next to the new file there is no room for the old one, which stays until the new one is whole.
    await api.exec(id, ["rm", "-f", "bulk.bin"]);
    upMs.push((await timed(() => api.write(id, "bulk.bin", content)))[1]);
    downMs.push((await timed(() => api.readExpecting(id, "bulk.bin", content)))[1]);
  }
  await api.delete(id);
  const rate = (durationsMs: number[]) => ({
    value: (megabytes / summarize(durationsMs).p50) * 1000,
    unit: "MB/s",
  });
  return [
    { name: `write 100 MB, ${entry}`, ...rate(upMs) },
    { name: `read 100 MB, ${entry}`, ...rate(downMs) },
    ...growths.map(({ name, mebibytes }) => ({
      name: `${name} grew, ${entry}`,
      value: mebibytes(),
      unit: "MiB",
    })),
  ];
}

/** The process that serves: where the control plane runs in workerd, that is a child of the program we started. */
function runtimeOf(pid: number): number {
  for (const entry of readdirSync("/proc")) {
    const stat = /^\d+$/.test(entry) ? statOf(entry) : undefined;
    if (stat?.name === "workerd" && stat.parent === pid) return Number(entry);
  }
  return pid;
}

function statOf(pid: string): { name: string; parent: number } | undefined {
  try {
    const [, name = "", parent] =
      /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return { name, parent: Number(parent) };
  } catch {
    return undefined; // it has ended meanwhile
  }
}

/** From now on: by how much the process' resident memory exceeded what it is now, at the most. */
function growthOf(pid: number): { mebibytes: () => number } {
  writeFileSync(`/proc/${pid}/clear_refs`, "5"); // the kernel forgets the peak
  const before = statusMiB(pid, "VmRSS");
  return { mebibytes: () => statusMiB(pid, "VmHWM") - before };
}

function statusMiB(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
}
