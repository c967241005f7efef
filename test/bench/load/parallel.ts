import { type Sample, summarize, timed } from "../figures/measure.ts";

/** Does `work` on every item, `atOnce` at a time; the first failure is thrown when the others are done. */
export async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const loop = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  const loops = await Promise.allSettled(Array.from({ length: atOnce }, loop));
  for (const each of loops) if (each.status === "rejected") throw each.reason;
}

export type Load = { sample: Sample; perSecond: number; cpuMsPerCall: number };

/**
 * Calls `work` from several loops at once for a time.
 * @returns how long each call took, how many there were per second, and what they cost this process
 */
export async function underLoad(loops: number, durationMs: number, work: () => Promise<void>): Promise<Load> {
  const tookMs: number[] = [];
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const endMs = startedMs + durationMs;
  const loop = async () => {
    do tookMs.push((await timed(work))[1]);
    while (performance.now() < endMs);
  };
  await Promise.all(Array.from({ length: loops }, loop));
  const elapsedMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  return {
    sample: summarize(tookMs),
    perSecond: (tookMs.length / elapsedMs) * 1000,
    cpuMsPerCall: (user + system) / 1000 / tookMs.length,
  };
}
