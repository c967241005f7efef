import type { Lease } from "../leases/store.ts";
import { type Point, stopsBetween, usedBetween } from "./amounts.ts";
import type { Metered, MeterState } from "./record.ts";

type Marks = { isFinal: boolean; isBudgetWarning?: true };

/** The intervals from where a meter stands to a point, none of them across an hour of UTC; the last has the marks. */
export function eventsUpTo(lease: Lease, from: MeterState, to: Point, marks: Marks): Metered[] {
  const { sandboxId, generation, createdAtMs } = lease;
  const stops = stopsBetween(createdAtMs, from.point, to);
  let state = from;
  return stops.map((point, i) => {
    const isLast = i === stops.length - 1;
    const next: MeterState = {
      sequence: state.sequence + 1,
      point,
      isFinal: isLast && marks.isFinal,
      warnedCapMicros: (isLast && marks.isBudgetWarning && lease.budget?.capMicros) || state.warnedCapMicros,
    };
    const event = {
      sandboxId,
      generation,
      sequence: next.sequence,
      fromMs: createdAtMs + state.point.elapsedMs,
      toMs: createdAtMs + point.elapsedMs,
      quantities: usedBetween(lease, state.point, point),
      isFinal: next.isFinal,
      ...(isLast && marks.isBudgetWarning && { isBudgetWarning: true as const }),
    };
    state = next;
    return { event, state: next };
  });
}
