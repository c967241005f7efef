import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import type { Sample } from "./measure.ts";

type Latency = { name: string } & Sample;
export type Row = (Latency & { baseline?: Latency }) | { name: string; value: number; unit: string };

/** What the figures were measured on; without it they mean little. */
export function environmentOf(engineVersion: string) {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    engine: engineVersion,
    commit: commit(),
    path: "client, control plane and agent-host on one machine, over loopback",
  };
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

const widths = [26, 6, 9, 9, 9, 9, 24];

/** The table for people: milliseconds, and how many times faster than the baseline of the same run. */
export function formatTable(rows: Row[]): string {
  const header = ["case", "n", "p50 ms", "p95 ms", "p99 ms", "min ms", "against the baseline"];
  const lines = [header, ...rows.map(cells)].map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join(" "),
  );
  return lines.join("\n");
}

function cells(row: Row): string[] {
  if ("unit" in row)
    return [row.name, "", "", "", "", "", `${row.value.toFixed(row.value < 10 ? 2 : 0)} ${row.unit}`];
  const ms = (value: number) => value.toFixed(2);
  const ratio = row.baseline ? `${(row.baseline.p50 / row.p50).toFixed(1)}x faster` : "";
  return [row.name, String(row.n), ms(row.p50), ms(row.p95), ms(row.p99), ms(row.min), ratio];
}
