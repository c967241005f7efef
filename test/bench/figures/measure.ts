/** Durations in milliseconds, summed up. */
export type Sample = { n: number; mean: number; min: number; p50: number; p95: number; p99: number };

/** Nearest-rank percentiles of durations in milliseconds. @throws Error without any */
export function summarize(durationsMs: readonly number[]): Sample {
  if (durationsMs.length === 0) throw new Error("Nothing was measured.");
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  const mean = sorted.reduce((sum, ms) => sum + ms, 0) / sorted.length;
  return { n: sorted.length, mean, min: at(0), p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** Runs `work` once. @returns its result and how long it took, in milliseconds */
export async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startedMs = performance.now();
  const result = await work();
  return [result, performance.now() - startedMs];
}

/** Runs `work` one after the other; what it throws ends the benchmark. */
export async function repeat(times: number, work: () => Promise<unknown>): Promise<void> {
  for (let round = 0; round < times; round++) await work();
}
