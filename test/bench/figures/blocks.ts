import { timed } from "./measure.ts";

/** One of those that are compared, and what a block holds of it. */
export type Side<Name extends string> = {
  name: Name;
  times: number;
  /** Calls before those, which are not measured: whoever ran before has left the caches to itself. */
  settle?: number;
};
export type Step<Name extends string> = { side: Name; isMeasured: boolean };

/** The order of calls: blocks of each side in turn, so that all of them meet the same machine. */
export function blockPlan<Name extends string>(blocks: number, sides: readonly Side<Name>[]): Step<Name>[] {
  const block = sides.flatMap(({ name, times, settle = 0 }) => [
    ...Array.from({ length: settle }, () => ({ side: name, isMeasured: false })),
    ...Array.from({ length: times }, () => ({ side: name, isMeasured: true })),
  ]);
  return Array.from({ length: blocks }, () => block).flat();
}

/** Carries a plan out. @returns how long each measured call took, in milliseconds */
export async function runBlocks<Name extends string>(
  plan: readonly Step<Name>[],
  work: Record<Name, () => Promise<unknown>>,
): Promise<Record<Name, number[]>> {
  // Every side of the plan has its work, so every name is there.
  const tookMs = Object.fromEntries(Object.keys(work).map((name) => [name, []])) as unknown as Record<
    Name,
    number[]
  >;
  for (const { side, isMeasured } of plan) {
    const [, ms] = await timed(work[side]);
    if (isMeasured) tookMs[side].push(ms);
  }
  return tookMs;
}
