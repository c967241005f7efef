import { limits as bounds } from "#contract/limits";
import type { PriceSheet, TenantLimits } from "#contract/plan";
import { costMicros, microsDown, microsUp } from "#contract/price";
import { noQuantities, type Quantities } from "#contract/usage";
import type { Account, Facts } from "./facts-store.ts";
import { dayEndMs, monthEndMs } from "./month.ts";
import { includedOf, ofEach, units } from "./units.ts";

// The same arithmetic as in `terms-store.ts`, for whoever explains or quotes: a test holds them to each other.

/** What somebody needs of what a tenant has left. */
export type Need = {
  count: number;
  /** Of each. */
  quantities: Quantities;
  capMicros: number | null;
  atMs: number;
  isRun: boolean;
  /** A sandbox that is there already, and what of it was used; it needs no slot. */
  used?: Quantities;
};

export type Refusal =
  | { code: "forbidden" }
  | {
      code: "quota_exceeded";
      quota: keyof TenantLimits | `included.${string}`;
      limit: number;
      used: number;
      held: number;
      needed: number;
      resetsAtMs: number | null;
    }
  | {
      code: "budget_exceeded";
      cap: "tenant" | "key";
      limit: number;
      spent: number;
      held: number;
      needed: number;
      resetsAtMs: number;
    };

/** Why this is not admitted; `null` = nothing speaks against it. */
export function decide(facts: Facts, need: Need): Refusal | null {
  if (facts.isSuspended) return { code: "forbidden" };
  return (need.used ? null : refusedCount(facts, need)) ?? refusedAmount(facts, need);
}

type Quota = Extract<Refusal, { code: "quota_exceeded" }>;
const quota = (fields: Omit<Quota, "code" | "held"> & { held?: number }): Quota | null => {
  const { held = 0 } = fields;
  const isFull = fields.used + held + fields.needed > fields.limit;
  return isFull ? { code: "quota_exceeded", ...fields, held } : null;
};

function refusedCount({ limits, ...facts }: Facts, { count, atMs, isRun }: Need): Refusal | null {
  const { concurrentSandboxes, concurrentRuns, createsPerDay, storedBytes } = limits;
  const outputMaxBytes = 2 * bounds.runOutputMaxBytes;
  return (
    quota({
      quota: "concurrentSandboxes",
      limit: concurrentSandboxes,
      used: facts.slots,
      needed: count,
      resetsAtMs: null,
    }) ??
    quota({
      quota: "createsPerDay",
      limit: createsPerDay,
      used: facts.createsToday,
      needed: count,
      resetsAtMs: dayEndMs(atMs),
    }) ??
    (isRun
      ? (quota({
          quota: "concurrentRuns",
          limit: concurrentRuns,
          used: facts.unendedRuns,
          needed: 1,
          resetsAtMs: null,
        }) ??
        quota({
          quota: "storedBytes",
          limit: storedBytes,
          used: facts.storedBytes,
          held: facts.unendedRuns * outputMaxBytes,
          needed: outputMaxBytes,
          resetsAtMs: null,
        }))
      : null)
  );
}

/** What limits amounts of the month: quotas, what is included where no more is sold, and caps. */
export function refusedAmount(facts: Facts, need: Need): Refusal | null {
  const { limits, sheet, tenant, key } = facts;
  const added = addedBy(facts, need);
  const resetsAtMs = monthEndMs(need.atMs);
  const included = includedOf(sheet);
  const of = (quota: Quota["quota"], name: keyof Quantities, per: number, limit: number | null) =>
    limit === null ? null : { quota, name, per, limit };
  const monthly = [
    of("cpuSecondsPerMonth", "cpuMs", 1000, limits.cpuSecondsPerMonth),
    of("memoryGibSecondsPerMonth", "memoryMiBSeconds", 1024, limits.memoryGibSecondsPerMonth),
    ...(sheet.overage === "block"
      ? units.map(({ name, included: free }) =>
          of(`included.${free?.of ?? name}`, name, free?.per ?? 1, included[name] / (free?.per ?? 1)),
        )
      : []),
  ];
  for (const each of monthly) {
    if (!each) continue;
    // Rounded up one by one, so that their sum is past the limit whenever the amounts themselves are.
    const whole = (amount: number) => Math.ceil(amount / each.per);
    const { used, held } = tenant;
    if (used[each.name] + held[each.name] + added.quantities[each.name] <= each.limit * each.per) continue;
    return {
      code: "quota_exceeded",
      quota: each.quota,
      limit: each.limit,
      used: whole(used[each.name]),
      held: whole(held[each.name]),
      needed: whole(added.quantities[each.name]),
      resetsAtMs,
    };
  }
  return (
    refusedMoney("tenant", tenant, { added, sheet, included, resetsAtMs }) ??
    refusedMoney("key", key, { added, sheet, included: noQuantities, resetsAtMs })
  );
}

type Added = { quantities: Quantities; micros: number };
type Priced = { added: Added; sheet: PriceSheet; included: Quantities; resetsAtMs: number };

function refusedMoney(cap: "tenant" | "key", account: Account, priced: Priced): Refusal | null {
  if (account.capMicros === null) return null;
  const { spent, held, needed } = moneyOf(account, priced);
  if (spent + held + needed <= account.capMicros) return null;
  const { resetsAtMs } = priced;
  return { code: "budget_exceeded", cap, limit: account.capMicros, spent, held, needed, resetsAtMs };
}

/** What an account has cost, what it can still cost, and what would come on top. */
export function moneyOf(account: Account, { added, sheet, included }: Omit<Priced, "resetsAtMs">) {
  const billed = (amount: (name: keyof Quantities) => number) =>
    costMicros(
      ofEach(({ name }) => Math.max(0, amount(name) - included[name])),
      sheet.prices,
    );
  const { used, held, heldMicros } = account;
  const spent = billed((name) => used[name]);
  const before = billed((name) => used[name] + held[name]);
  const after = billed((name) => used[name] + held[name] + added.quantities[name]);
  return { spent, held: before - spent + heldMicros, needed: after - before + added.micros };
}

/** What admission would add to an account: quantities, or the money of a cap. */
export function addedBy({ limits, sheet }: Pick<Facts, "limits" | "sheet">, need: Need): Added {
  const { count, quantities, capMicros, used = noQuantities } = need;
  const isByQuantity =
    sheet.overage === "block" ||
    limits.cpuSecondsPerMonth !== null ||
    limits.memoryGibSecondsPerMonth !== null;
  if (capMicros === null || isByQuantity) {
    return { quantities: ofEach(({ name }) => count * quantities[name]), micros: 0 };
  }
  const spent = sumOf(({ name, price, per }) => microsDown(used[name], sheet.prices[price], per));
  const worst = sumOf(({ name, price, per }) => microsUp(quantities[name], sheet.prices[price], per));
  return { quantities: noQuantities, micros: count * Math.max(0, Math.min(capMicros - spent, worst)) };
}

const sumOf = (of: (unit: (typeof units)[number]) => number) =>
  units.reduce((sum, unit) => sum + of(unit), 0);
