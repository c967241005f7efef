import type { Entry } from "./shelf.ts";

/** Each costs some milliseconds of the kernel's time. */
const parkedAtOnceMax = 4;
/** A frozen sandboxd answers nothing: it is thawed for a look this often. */
export const parkedCheckMs = 600_000;

/** Which warm members to park now: those that have been there for long, a few at a time. */
export function toPark(entries: readonly Entry[], nowMs: number, parkAfterMs: number | undefined): Entry[] {
  if (parkAfterMs === undefined) return [];
  const isDue = ({ isParked, warmSinceMs }: Entry) => !isParked && nowMs - warmSinceMs >= parkAfterMs;
  return entries.filter(isDue).slice(0, parkedAtOnceMax);
}

/** Which of the parked to thaw for a look: one at a time, the one that was seen longest ago. */
export function toLookAt(entries: readonly Entry[], nowMs: number): Entry | undefined {
  const isDue = ({ isParked, checkedAtMs }: Entry) => isParked && nowMs - checkedAtMs >= parkedCheckMs;
  return entries.filter(isDue).sort((a, b) => a.checkedAtMs - b.checkedAtMs)[0];
}

/** Whether a warm member is too old to be handed out for much longer. */
export function isStale(entry: Entry, nowMs: number, maxAgeMs: number | undefined): boolean {
  return maxAgeMs !== undefined && nowMs - entry.member.createdAtMs >= maxAgeMs;
}
