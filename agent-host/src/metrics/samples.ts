import { limits } from "#contract/limits";
import type { MetricsSample } from "#contract/metrics";
import type { Usage } from "../runtime/runtime.ts";
import type { WorkspaceUsage } from "../workspaces/usage.ts";

/** A reading of the counters, and when it was taken on both clocks: one to compute with, one to show. */
export type Reading = { usage: Usage; atMs: number; monotonicMs: number };

/** The last samples of one sandbox; what is older is forgotten. */
export class Samples {
  #last: Reading | undefined;
  readonly #kept: MetricsSample[] = [];

  /** Keeps a reading as the next sample. */
  add(reading: Reading): void {
    this.#kept.push(this.preview(reading));
    if (this.#kept.length > limits.metricsSamplesMax) this.#kept.shift();
    this.#last = reading;
  }

  /** What the sample would be, without keeping it. */
  preview(reading: Reading): MetricsSample {
    return sampleOf(reading, this.#last);
  }

  /** What the workspace held at the last sample. */
  get workspace(): WorkspaceUsage | undefined {
    return this.#last?.usage.workspace;
  }

  get history(): MetricsSample[] {
    return [...this.#kept];
  }
}

/** A first reading has nothing to be compared with, so it says nothing of a rate. */
export function sampleOf({ usage, atMs, monotonicMs }: Reading, before: Reading | undefined): MetricsSample {
  const spanMs = before ? monotonicMs - before.monotonicMs : 0;
  const busyMs = before ? (usage.cpuMicros - before.usage.cpuMicros) / 1000 : 0;
  return {
    at: new Date(atMs).toISOString(),
    cpuMs: usage.cpuMicros / 1000,
    cpuPercent: spanMs > 0 ? Math.round(Math.max(0, busyMs / spanMs) * 1000) / 10 : 0,
    memoryBytes: usage.memoryBytes,
    processes: usage.processes,
    readBytes: usage.readBytes,
    writtenBytes: usage.writtenBytes,
    workspaceBytes: usage.workspace.bytes,
    workspaceInodes: usage.workspace.inodes,
  };
}
