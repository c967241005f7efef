import fc from "fast-check";
import { expect, test } from "vitest";
import { scopes } from "#contract/api";
import { type Grantor, restrict } from "#worker/auth/grant";

const nowMs = 1_000_000;
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const some = <T>(of: readonly T[]) => fc.subarray([...of], { minLength: 1 });
const amount = fc.integer({ min: 0, max: 20 });
const rate = fc.record({ requestsPerSecond: amount, burst: amount });
const templates = ["base", "other", "third"];

const grantor: fc.Arbitrary<Grantor> = fc.record({
  scopes: some(scopes),
  restrictions: fc.record({
    templates: maybe(some(templates)),
    expiresAtMs: maybe(fc.integer({ min: nowMs, max: nowMs + 20_000 })),
  }),
});
const wanted = fc.record(
  {
    name: fc.constant("wanted"),
    scopes: some(scopes),
    templates: some(templates),
    expiresInSeconds: amount,
    budget: fc.record({ monthlyCapMicros: amount }),
    rate,
  },
  { requiredKeys: ["name", "scopes"] },
);

/** Whether nothing that `b` allows is refused to `a`; `null` = everything. */
const covers = (a: number | null, b: number | null) => a === null || (b !== null && b <= a);

test("whatever is asked for, a key is given nothing that its maker does not have, and all else that was asked for", () => {
  let given = 0;
  const property = fc.property(grantor, wanted, fc.boolean(), (own, wished, isModest) => {
    const ask = isModest ? { ...wished, scopes: own.scopes.slice(0, 1) } : wished;
    const decided = restrict(own, ask, nowMs);
    if ("issues" in decided) {
      expect(decided.issues.length).toBeGreaterThan(0);
      return;
    }
    given++;
    const { restrictions: mine } = own;
    const { restrictions: its } = decided;
    expect(ask.scopes.every((scope) => own.scopes.includes(scope))).toBe(true);
    if (mine.templates)
      expect(mine.templates).toEqual(expect.arrayContaining([...(its.templates ?? ["any"])]));
    expect(covers(mine.expiresAtMs, its.expiresAtMs)).toBe(true);
    if (ask.templates) expect(its.templates).toEqual(ask.templates);
    expect(its.rate).toEqual(ask.rate ?? null);
    expect(its.monthlyCapMicros).toBe(ask.budget?.monthlyCapMicros ?? null);
    if (ask.expiresInSeconds !== undefined) expect(its.expiresAtMs).toBe(nowMs + ask.expiresInSeconds * 1000);
  });
  fc.assert(property, { numRuns: 2_000, seed: 5 });
  expect(given).toBeGreaterThan(100);
});

test("a key without restrictions may give any, and one may give all that it has", () => {
  const none = { templates: null, expiresAtMs: null };
  const unbudgeted = { monthlyCapMicros: null, rate: null };
  const property = fc.property(grantor, ({ scopes: own, restrictions }) => {
    const ask = { name: "same", scopes: [...own] };
    for (const its of [restrictions, none]) {
      const decided = restrict({ scopes: own, restrictions: its }, ask, nowMs);
      expect(decided).toEqual({ restrictions: { ...its, ...unbudgeted } });
    }
  });
  fc.assert(property, { seed: 6 });
});
