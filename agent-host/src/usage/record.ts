import * as z from "zod";
import { UsageEvent } from "#contract/usage";

const whole = z.int().min(0);
const Point = z.strictObject({ elapsedMs: whole, cpuMicros: whole });

/** Where a sandbox's meter stands: what to go on from. */
export const MeterState = z.strictObject({
  /** Of the last event. */
  sequence: whole,
  /** Its end. */
  point: Point,
  isFinal: z.boolean(),
  /** The cap that its programs know to be all but spent; a higher one is told of again. 0 = none. */
  warnedCapMicros: whole,
});
export type MeterState = z.infer<typeof MeterState>;

const Position = z.strictObject({ segment: whole, offset: whole });

/** One line of the outbox. */
export const OutboxRecord = z.union([
  z.strictObject({ event: UsageEvent, state: MeterState }),
  /** At the head of each file, for what the files before it said. */
  z.strictObject({ key: z.string(), state: MeterState }),
  /** The control plane has everything before this. */
  z.strictObject({ acknowledged: Position }),
]);
export type OutboxRecord = z.infer<typeof OutboxRecord>;
export type Metered = Extract<OutboxRecord, { event: unknown }>;

/** @returns undefined for what no host of ours has written: a damaged file must not keep the rest from being read */
export function parseRecord(text: string): OutboxRecord | undefined {
  try {
    return OutboxRecord.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export const keyOf = ({ sandboxId, generation }: { sandboxId: string; generation: number }) =>
  `${sandboxId}-${generation}`;
