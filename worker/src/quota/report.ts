import type { BudgetUse, Quota, QuotaUse } from "#contract/quota";
import type { Rate } from "#contract/rate";
import type { Clock, Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { ratesOf } from "../ratelimit/rates.ts";
import { dayEndMs, monthEndMs, monthOf } from "./month.ts";
import { type QuotaFacts, quotaFacts } from "./report-store.ts";

type Deps = { db: Db; now: Clock };

const msPerSecond = 1_000;
const mibPerGib = 1_024;

/** Every limit of the caller's tenant and key, with what is used and held of it: as admission would count it now. */
export async function quotaReport(
  { db, now }: Deps,
  { tenantId, keyId }: Pick<Ctx, "tenantId" | "keyId">,
): Promise<Quota> {
  const nowMs = now();
  const facts = await quotaFacts(db, { tenantId, keyId, month: monthOf(nowMs) }, nowMs);
  // Whoever is in a cache for a few seconds more than in the database.
  if (!facts) throw new AppError("unauthenticated", "Send a valid API key as a bearer token.");
  return viewOf(facts, nowMs);
}

/** Amounts are rounded up where they are used or held, and down where they remain: nobody is promised what is not there. */
export function viewOf(facts: QuotaFacts, nowMs: number): Quota {
  const { limits } = facts;
  const monthEnd = new Date(monthEndMs(nowMs)).toISOString();
  const dayEnd = new Date(dayEndMs(nowMs)).toISOString();
  return {
    plan: facts.plan,
    concurrentSandboxes: countOf(limits.concurrentSandboxes, facts.sandboxes),
    concurrentRuns: countOf(limits.concurrentRuns, facts.runs),
    createsPerDay: { ...countOf(limits.createsPerDay, facts.creates), resetsAt: dayEnd },
    cpuSeconds: {
      ...amountOf({ quota: facts.cpuQuota, used: facts.cpuUsed, held: facts.cpuHeld }, msPerSecond),
      resetsAt: monthEnd,
    },
    memoryGibSeconds: {
      ...amountOf({ quota: facts.memoryQuota, used: facts.memoryUsed, held: facts.memoryHeld }, mibPerGib),
      resetsAt: monthEnd,
    },
    storedBytes: countOf(limits.storedBytes, facts.storedBytes),
    budget: {
      tenant: {
        ...budgetOf({ capMicros: facts.tenantCap, spent: facts.spent, promised: facts.promised }),
        resetsAt: monthEnd,
      },
      key: {
        ...budgetOf({ capMicros: facts.keyCap, spent: facts.keySpent, promised: facts.keyPromised }),
        resetsAt: monthEnd,
      },
    },
    rates: mapRates(ratesOf(limits, facts.overrides)),
  };
}

function countOf(limit: number, used: number): QuotaUse {
  return { limit, used, held: 0, remaining: Math.max(0, limit - used), resetsAt: null };
}

type Amounts = Record<"quota" | "used" | "held", number | null>;

function amountOf({ quota, used, held }: Amounts, per: number): Omit<QuotaUse, "resetsAt"> {
  const taken = (used ?? 0) + (held ?? 0);
  return {
    limit: quota === null ? null : Math.floor(quota / per),
    used: Math.ceil((used ?? 0) / per),
    held: Math.ceil((held ?? 0) / per),
    remaining: quota === null ? null : Math.max(0, Math.floor((quota - taken) / per)),
  };
}

type Money = { capMicros: number | null; spent: number; promised: number };

function budgetOf({ capMicros, spent, promised }: Money): Omit<BudgetUse, "resetsAt"> {
  return {
    capMicros,
    spentMicros: spent,
    heldMicros: promised - spent,
    remainingMicros: capMicros === null ? null : Math.max(0, capMicros - promised),
  };
}

function mapRates({ control, data, create }: Record<keyof Quota["rates"], Rate>): Quota["rates"] {
  const shown = ({ perSecond, capacity }: Rate) => ({ perSecond, burst: capacity });
  return { control: shown(control), data: shown(data), create: shown(create) };
}
