import type { Logger } from "pino";
import { limits } from "#contract/limits";
import type { SandboxMetrics } from "#contract/metrics";
import type { Runtime } from "../runtime/runtime.ts";
import type { Live, Registry } from "../sandboxes/registry.ts";
import type { WorkspaceUsage } from "../workspaces/usage.ts";
import { type Reading, Samples } from "./samples.ts";

export type SamplerDeps = {
  registry: Pick<Registry, "all">;
  runtime: Pick<Runtime, "usage">;
  now: () => number;
  monotonic: () => number;
  log: Logger;
};

const miB = 1024 * 1024;
const fullShare = 0.95;
const isFull = ({ bytes, inodes, limitBytes, inodesLimit }: WorkspaceUsage) =>
  bytes >= limitBytes * fullShare || inodes >= inodesLimit * fullShare;

/** Reads what every sandbox uses, and keeps the last ten minutes of each for as long as it lives. */
export class Sampler {
  readonly #deps: SamplerDeps;
  readonly #samples = new Map<string, Samples>();

  constructor(deps: SamplerDeps) {
    this.#deps = deps;
  }

  /** One sample of everything that lives; what has ended is forgotten. 0.06 ms a sandbox. */
  tick(): void {
    const live = this.#deps.registry.all();
    const ids = new Set<string>(live.map(({ lease }) => lease.sandboxId));
    for (const id of this.#samples.keys()) if (!ids.has(id)) this.#samples.delete(id);
    for (const each of live) this.#sample(each);
  }

  /** What a sandbox uses at this moment, and its past. @throws Error when its control group is gone */
  metricsOf(live: Live): SandboxMetrics {
    const { sandboxId, cpu, memoryMiB, pids } = live.lease;
    const samples = this.#samplesOf(sandboxId);
    const reading = this.#read(live);
    const { limitBytes, inodesLimit } = reading.usage.workspace;
    return {
      cpu,
      memoryLimitBytes: memoryMiB * miB,
      processesLimit: pids,
      workspaceLimitBytes: limitBytes,
      workspaceInodesLimit: inodesLimit,
      current: samples.preview(reading),
      intervalSeconds: limits.metricsSampleMs / 1000,
      history: samples.history,
    };
  }

  /** All workspaces together, as of the last tick. */
  workspaces(): WorkspaceUsage & { full: number } {
    const sum = { bytes: 0, inodes: 0, limitBytes: 0, inodesLimit: 0, full: 0 };
    for (const { workspace } of this.#samples.values()) {
      if (!workspace) continue;
      sum.bytes += workspace.bytes;
      sum.inodes += workspace.inodes;
      sum.limitBytes += workspace.limitBytes;
      sum.inodesLimit += workspace.inodesLimit;
      if (isFull(workspace)) sum.full++;
    }
    return sum;
  }

  #sample(live: Live): void {
    try {
      this.#samplesOf(live.lease.sandboxId).add(this.#read(live));
    } catch (cause) {
      // It is ending just now, or its kernel says less than is needed: the others are not to suffer.
      this.#deps.log.debug({ err: cause, sandboxId: live.lease.sandboxId }, "a sandbox was not measured");
    }
  }

  #samplesOf(sandboxId: string): Samples {
    const known = this.#samples.get(sandboxId);
    if (known) return known;
    const samples = new Samples();
    this.#samples.set(sandboxId, samples);
    return samples;
  }

  #read(live: Live): Reading {
    const { runtime, now, monotonic } = this.#deps;
    return { usage: runtime.usage(live.member), atMs: now(), monotonicMs: monotonic() };
  }
}
