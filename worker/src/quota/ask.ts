import type { KeyId } from "#contract/ids";
import { worstCase } from "#contract/price";
import type { Quantities } from "#contract/usage";
import type { Need } from "./decide.ts";

export type Size = { cpu: number; memoryMiB: number; diskMiB: number };

/** What somebody wants admitted: so many sandboxes of one kind. */
export type Ask = {
  keyId: KeyId;
  /** The day and the month that it counts for are those of its creation. */
  createdAtMs: number;
  count: number;
  size: Size;
  lifetimeSeconds: number;
  /** The cap of each; `null` = it may cost its worst case. */
  capMicros: number | null;
  /** It also counts as a run, with what it will print. */
  isRun: boolean;
};

/** The most that each of them can use. */
export const needOf = (ask: Pick<Ask, "size" | "lifetimeSeconds">): Quantities =>
  worstCase(ask.size, ask.lifetimeSeconds);

/** The same for the decision that explains. */
export function needFor(ask: Ask): Need {
  const { count, capMicros, createdAtMs, isRun } = ask;
  return { count, quantities: needOf(ask), capMicros, atMs: createdAtMs, isRun };
}
