export type Sample = { n: number; p50: number; p95: number; p99: number; min: number };

/** Nearest-rank percentiles of durations in milliseconds. @throws Error without any */
export function summarize(durationsMs: number[]): Sample {
  if (durationsMs.length === 0) throw new Error("Nothing was measured.");
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { n: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), min: at(0) };
}

/** Runs `work` one after the other and keeps how long each took; what `work` throws ends the benchmark. */
export async function repeat(times: number, work: (round: number) => Promise<void>): Promise<number[]> {
  const durationsMs: number[] = [];
  for (let round = 0; round < times; round++) {
    const [, ms] = await timed(() => work(round));
    durationsMs.push(ms);
  }
  return durationsMs;
}

/** Runs `work` once. @returns its result and how long it took, in milliseconds */
export async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startedMs = performance.now();
  const result = await work();
  return [result, performance.now() - startedMs];
}

/** Runs `work` from `workers` loops at once. @returns completed rounds per second */
export async function throughput(
  rounds: number,
  workers: number,
  work: () => Promise<void>,
): Promise<number> {
  let left = rounds;
  const startedMs = performance.now();
  const loop = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: workers }, loop));
  return (rounds / (performance.now() - startedMs)) * 1000;
}
