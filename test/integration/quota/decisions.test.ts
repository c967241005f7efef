import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type KeyId, newKeyId, newReservationId, newSandboxId, newTenantId } from "#contract/ids";
import { quantityNames } from "#contract/usage";
import { type Harness, harness } from "#test/support/harness";
import { runBatch } from "#worker/db/rider";
import { type Admission, admitStatements } from "#worker/quota/admit-store";
import { needFor } from "#worker/quota/ask";
import { decide } from "#worker/quota/decide";
import { readFacts } from "#worker/quota/facts-store";
import { longestLifetimeSeconds } from "#worker/quota/longest";

let h: Harness;
beforeAll(async () => {
  h = await harness();
});
afterAll(() => h.close());

const upTo = (max: number) => fc.integer({ min: 0, max });
const cap = fc.option(upTo(150_000));
const amounts = fc.record({
  cpuMs: upTo(2_000_000),
  memoryMiBSeconds: upTo(2_000_000),
  diskMiBSeconds: upTo(4_000_000),
  egressKiB: upTo(200_000),
  pausedMiBSeconds: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 90_000),
});
const anyHold = fc.record({
  isKeys: fc.boolean(),
  most: amounts,
  used: amounts,
  capMicros: fc.option(fc.integer({ min: 1, max: 30_000 })),
  isSettled: fc.boolean(),
});
const anyCase = fc.record({
  overage: fc.constantFrom("block", "bill", "bill", "bill", "bill" as const),
  included: fc.record({
    cpuSeconds: upTo(3_000),
    memoryGibSeconds: upTo(3_000),
    diskGibSeconds: upTo(6_000),
    egressGib: upTo(1),
  }),
  cpuSecondsPerMonth: fc.option(upTo(12_000), { freq: 1 }),
  memoryGibSecondsPerMonth: fc.option(upTo(12_000), { freq: 1 }),
  tenantCap: cap,
  keyCap: cap,
  holds: fc.array(anyHold, { maxLength: 4 }),
  used: amounts,
  usedOfOthers: amounts,
  isSuspended: upTo(9).map((tenth) => tenth === 9),
  ask: fc.record({
    count: fc.integer({ min: 1, max: 3 }),
    cpu: fc.integer({ min: 5, max: 40 }).map((twentieths) => twentieths / 20),
    memoryMiB: fc.integer({ min: 128, max: 4096 }),
    diskMiB: fc.integer({ min: 16, max: 4096 }),
    lifetimeSeconds: fc.integer({ min: 10, max: 4_000 }),
    capMicros: fc.option(fc.integer({ min: 1, max: 30_000 })),
  }),
});
type Case = typeof anyCase extends fc.Arbitrary<infer T> ? T : never;

const values = (of: Case["used"]) => quantityNames.map((name) => of[name]);

/** A tenant with a plan, a key and books of its own. */
async function tenantOf(of: Case) {
  const { client } = h.database;
  const [tenantId, keyId, other] = [newTenantId(), newKeyId(), newKeyId()];
  const nowMs = h.clock.now();
  const standard = await client.execute("SELECT definition FROM plans WHERE name = 'standard'");
  const shipped = JSON.parse(String(standard.rows[0]?.definition));
  const plan = tenantId.replace("ten_", "p");
  const { overage, included, cpuSecondsPerMonth, memoryGibSecondsPerMonth } = of;
  const definition = { ...shipped, name: plan, overage, included };
  const overrides = { cpuSecondsPerMonth, memoryGibSecondsPerMonth, concurrentSandboxes: 1_000 };
  const month = new Date(nowMs).toISOString().slice(0, 7);
  const usage = (key: KeyId, amount: Case["used"]) => ({
    sql: "INSERT INTO usage_months VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    args: [tenantId, month, key, ...values(amount)],
  });
  await client.batch(
    [
      { sql: "INSERT INTO plans VALUES (?, ?, 0)", args: [plan, JSON.stringify(definition)] },
      {
        sql: `INSERT INTO tenants (id, name, created_at_ms, plan, overrides, monthly_cap_micros, suspended_at_ms)
          VALUES (?, ?, 0, ?, ?, ?, ?)`,
        args: [tenantId, tenantId, plan, JSON.stringify(overrides), of.tenantCap, of.isSuspended ? 1 : null],
      },
      {
        sql: `INSERT INTO keys (id, tenant_id, hash, prefix, name, scopes, created_at_ms, monthly_cap_micros)
          VALUES (?, ?, ?, '', '', '[]', 0, ?)`,
        args: [keyId, tenantId, keyId.padEnd(64), of.keyCap],
      },
      usage(keyId, of.used),
      usage(other, of.usedOfOthers),
      ...of.holds.map(({ isKeys, most, used, capMicros, isSettled }) => ({
        sql: `INSERT INTO holds VALUES (?, 1, ?, ?, 'base', '{}', 60, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 1, ?)`,
        args: [
          newSandboxId(h.host.code),
          tenantId,
          isKeys ? keyId : other,
          ...values(most),
          capMicros,
          ...values(used),
          isSettled ? 1 : null,
        ],
      })),
    ],
    "write",
  );
  return { tenantId, keyId };
}

function admissionOf(of: Case, keyId: KeyId): Admission {
  const { count, lifetimeSeconds, capMicros, ...size } = of.ask;
  const expiresAtMs = h.clock.now() + 1;
  const slots = Array.from({ length: count }, () => {
    return { id: newReservationId(), sandboxId: newSandboxId(h.host.code), expiresAtMs };
  });
  const asked = { keyId, createdAtMs: h.clock.now(), count, size, lifetimeSeconds, capMicros, isRun: false };
  return { ...asked, slots, generation: 1, template: "base", metadata: {}, isUnmetered: false };
}

async function isAdmitted(tenantId: Parameters<typeof admitStatements>[1], admission: Admission) {
  const changed = await runBatch(h.deps.db, admitStatements(h.deps.db, tenantId, admission));
  expect([changed[1], changed[2]]).toEqual(changed[1] === 0 ? [0, 0] : [admission.count, admission.count]);
  return changed[1] !== 0;
}

test("what explains a refusal decides like the statement that refuses, to the micro-dollar", async () => {
  let admitted = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(anyCase, async (of) => {
      const { tenantId, keyId } = await tenantOf(of);
      const admission = admissionOf(of, keyId);
      const facts = await readFacts(h.deps.db, tenantId, { keyId, atMs: h.clock.now() });
      if (!facts) throw new Error("no facts");
      const need = needFor(admission);
      const refusal = decide(facts, need);
      // Where something is refused, the longest life that is told is admitted, and one second more is not.
      if (refusal?.code === "budget_exceeded") {
        const { held, needed, spent, limit } = refusal;
        expect(spent + held + needed).toBeGreaterThan(limit);
        const longest = longestLifetimeSeconds(facts, need, admission.size);
        expect(longest).toBeLessThan(admission.lifetimeSeconds);
        const more = admissionOf(
          { ...of, ask: { ...of.ask, lifetimeSeconds: Math.max(10, longest + 1) } },
          keyId,
        );
        expect(await isAdmitted(tenantId, more)).toBe(false);
        if (longest > 0) {
          const fits = admissionOf({ ...of, ask: { ...of.ask, lifetimeSeconds: longest } }, keyId);
          expect(await isAdmitted(tenantId, fits)).toBe(true);
        }
        refused++;
        return;
      }
      const is = await isAdmitted(tenantId, admission);
      expect([is, refusal]).toEqual([refusal === null, refusal]);
      if (is) admitted++;
    }),
    { numRuns: 100, endOnFailure: true },
  );
  // Both happen often enough to mean something.
  expect([admitted > 10, refused > 10]).toEqual([true, true]);
});
