import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TestStack } from "../support/stack.ts";
import { BenchClient } from "./client.ts";
import { timed } from "./measure.ts";
import type { Row } from "./report.ts";

const megabytes = 100;

/** One large file each way, and how much memory the control plane took for it. */
export async function bulkCases(stack: TestStack, entry: string): Promise<Row[]> {
  const api = new BenchClient(stack.url, stack.apiKey);
  const { id } = await api.create();
  const content = randomBytes(megabytes * 1_000_000);
  const beforeMiB = residentMiB(stack.controlPlane.pid);
  const [, upMs] = await timed(() => api.write(id, "bulk.bin", content));
  const [read, downMs] = await timed(() => api.read(id, "bulk.bin"));
  if (!read.equals(content)) throw new Error("A file came back changed.");
  const grownMiB = residentMiB(stack.controlPlane.pid) - beforeMiB;
  await api.delete(id);
  const rate = (ms: number) => ({ value: (megabytes / ms) * 1000, unit: "MB/s" });
  return [
    { name: `write 100 MB, ${entry}`, ...rate(upMs) },
    { name: `read 100 MB, ${entry}`, ...rate(downMs) },
    { name: `memory for both, ${entry}`, value: grownMiB, unit: "MiB" },
  ];
}

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}
