import * as z from "zod";
import { Micros } from "./money.ts";
import { TemplateName } from "./sandbox.ts";

export { Micros } from "./money.ts";

const count = z.int().min(0).max(1_000_000_000);
const bytes = z.int().min(0).max(1e15);
const perSecond = z.number().min(0.01).max(1_000_000);

export const PlanName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, "must be a plan's name: lowercase letters, digits and -");

/** What a tenant may do. A plan says all of it; a tenant's overrides and, of the rates, a key's say a part. */
export const TenantLimits = z
  .strictObject({
    requestsPerSecond: perSecond.describe("Tokens a second for calls that read or change records."),
    burst: count.min(1).describe("Tokens of such calls that may be taken at once."),
    dataRequestsPerSecond: perSecond.describe("The same for commands, files, processes and ports."),
    dataBurst: count.min(1),
    createsPerSecond: perSecond.describe("The same for calls that make sandboxes and runs."),
    createBurst: count.min(1),
    concurrentSandboxes: count.describe("Sandboxes at once, with those of runs."),
    concurrentRuns: count.describe("Runs that have not ended."),
    createsPerDay: count.describe("Sandboxes made in a day of UTC, with those of runs."),
    openStreams: count.describe("Streams of events, WebSockets and other answers that go on, at once."),
    storedBytes: bytes.describe("What is kept of ended runs."),
    cpuSecondsPerMonth: count
      .nullable()
      .describe("Processor time in a month of UTC; null = as much as is paid for."),
    memoryGibSecondsPerMonth: count.nullable(),
    sandboxCpu: z.number().min(0.25).max(1024).describe("Cores of one sandbox at most."),
    sandboxMemoryMiB: count.min(128),
    sandboxDiskMiB: count.min(16),
    sandboxLifetimeSeconds: count.min(10),
  })
  .meta({ id: "TenantLimits" });
export type TenantLimits = z.infer<typeof TenantLimits>;

/** What a unit costs before included amounts. Paused sandboxes pay for their disk and, at the paused price, their memory. */
export const Prices = z
  .strictObject({
    cpuHourMicros: Micros.max(1_000_000_000).describe("An hour of processor time that was used."),
    memoryGibHourMicros: Micros.max(1_000_000_000).describe("A GiB of a live sandbox's size, for an hour."),
    diskGibHourMicros: Micros.max(1_000_000_000),
    egressGibMicros: Micros.max(1_000_000_000),
    pausedGibHourMicros: Micros.max(1_000_000_000),
  })
  .meta({ id: "Prices" });
export type Prices = z.infer<typeof Prices>;

/** Free of charge in each month of UTC. */
export const Included = z
  .strictObject({
    cpuSeconds: count,
    memoryGibSeconds: count,
    diskGibSeconds: count,
    egressGib: count,
  })
  .meta({ id: "Included" });
export type Included = z.infer<typeof Included>;

export const Overage = z.enum(["block", "bill"]).meta({ id: "Overage" });

export const Plan = z
  .strictObject({
    name: PlanName,
    limits: TenantLimits,
    prices: Prices,
    included: Included,
    overage: Overage.describe("Past what is included: `block` refuses, `bill` charges."),
  })
  .meta({ id: "Plan" });
export type Plan = z.infer<typeof Plan>;

/** What a month is billed by: fixed at its first use, so that a change of plan or price begins with the next month. */
export const PriceSheet = Plan.pick({ prices: true, included: true, overage: true }).extend({
  plan: PlanName,
});
export type PriceSheet = z.infer<typeof PriceSheet>;

/** What the view `tenant_plans` says: RFC 7396 leaves out what is null. */
export function readLimits(json: string): TenantLimits {
  return TenantLimits.parse({
    cpuSecondsPerMonth: null,
    memoryGibSecondsPerMonth: null,
    ...(JSON.parse(json) as object),
  });
}

type Overridable = { [K in keyof TenantLimits]: z.ZodType<NonNullable<TenantLimits[K]>> };
/** The same bounds without `null`, which where limits are changed means the plan's own value. */
const overridable = Object.fromEntries(
  Object.entries(TenantLimits.shape).map(([name, schema]) => [name, bare(schema)]),
) as Overridable;

function bare(schema: z.ZodType): z.ZodType {
  // The library's types do not say so: what is wrapped is a schema.
  return schema instanceof z.ZodNullable ? (schema.unwrap() as z.ZodType) : schema;
}

/** A tenant's own limits in place of its plan's. */
export const LimitOverrides = z.strictObject(overridable).partial().meta({ id: "LimitOverrides" });
export type LimitOverrides = z.infer<typeof LimitOverrides>;

/** `null` drops an override, what is absent stays. */
export const LimitChanges = z
  .strictObject(
    Object.fromEntries(Object.entries(overridable).map(([name, schema]) => [name, schema.nullable()])) as {
      [K in keyof Overridable]: z.ZodNullable<Overridable[K]>;
    },
  )
  .partial()
  .meta({ id: "LimitChanges" });

export const MonthlyBudget = z
  .strictObject({
    monthlyCapMicros: Micros.describe("The most that a month of UTC may cost, in micro-dollars."),
  })
  .meta({ id: "MonthlyBudget" });
export type MonthlyBudget = z.infer<typeof MonthlyBudget>;

/** A rate of a key's own, inside its tenant's. */
export const KeyRate = TenantLimits.pick({ requestsPerSecond: true, burst: true }).meta({ id: "KeyRate" });
export type KeyRate = z.infer<typeof KeyRate>;

/** Templates that a key is restricted to; the template's own name, not an alias. */
export const KeyTemplates = z.array(TemplateName).min(1).max(100);
