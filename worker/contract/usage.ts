import * as z from "zod";
import { SandboxId } from "./ids.ts";
import { limits } from "./limits.ts";

const amount = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What was used, in units fine enough to stay whole. Sums of them are exact, in any order. */
export const Quantities = z.strictObject({
  /** Processor time that the sandbox's control group counted. */
  cpuMs: amount,
  /** Size times the time that it was live and not paused. */
  memoryMiBSeconds: amount,
  /** Size of the workspace times the time that it was live, paused or not. */
  diskMiBSeconds: amount,
  /** Out of the sandbox to the internet. */
  egressKiB: amount,
  /** Size times the time that it was paused. */
  pausedMiBSeconds: amount,
});
export type Quantities = z.infer<typeof Quantities>;
export const quantityNames = Object.keys(Quantities.shape) as (keyof Quantities)[];
export const noQuantities: Quantities = {
  cpuMs: 0,
  memoryMiBSeconds: 0,
  diskMiBSeconds: 0,
  egressKiB: 0,
  pausedMiBSeconds: 0,
};

/**
 * One interval of one sandbox, as its host has measured it. Intervals of a sandbox neither overlap nor leave gaps and
 * none crosses an hour of UTC, so they may arrive late, twice and in any order: each counts once, by its id.
 */
export const UsageEvent = z.strictObject({
  sandboxId: SandboxId,
  generation: z.int().min(1),
  /** 1, 2, 3...; with sandbox and generation it is the event's identity. */
  sequence: z.int().min(1),
  fromMs: z.int().min(0),
  toMs: z.int().min(0),
  quantities: Quantities,
  /** The last one: there are `sequence` of them. */
  isFinal: z.boolean(),
  /** At its end the sandbox's programs were told that its own budget is all but spent. */
  isBudgetWarning: z.literal(true).optional(),
});
export type UsageEvent = z.infer<typeof UsageEvent>;

/** Host -> worker, `POST /internal/v1/usage`; at least once, oldest first. */
export const UsageReport = z.strictObject({
  events: z.array(UsageEvent).min(1).max(limits.usageEventsPerReport),
});
export type UsageReport = z.infer<typeof UsageReport>;
/** What is on record by now, or never will be; the host forgets it. */
export const UsageReceipt = z.object({ accepted: z.int() });
export type UsageReceipt = z.infer<typeof UsageReceipt>;

/** What a sandbox may cost, for the host to stop it in time. */
export const SandboxBudget = z.strictObject({
  capMicros: z.int().min(1),
  prices: z.strictObject({
    cpuHourMicros: amount,
    memoryGibHourMicros: amount,
    diskGibHourMicros: amount,
    egressGibMicros: amount,
    pausedGibHourMicros: amount,
  }),
});
export type SandboxBudget = z.infer<typeof SandboxBudget>;
