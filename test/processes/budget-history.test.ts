import { sql } from "drizzle-orm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { newSandboxId, type SandboxId } from "#contract/ids";
import { noQuantities } from "#contract/usage";
import { takingOf } from "#test/support/account";
import { allowBare, moneyOf as booksOf } from "#test/support/books-of-money";
import { creatingRow } from "#test/support/crashed-create";
import { type Harness, harness } from "#test/support/harness";
import { bySystem } from "#worker/audit/store";
import { runBatch } from "#worker/db/rider";
import { moneyOf } from "#worker/quota/decide";
import { readFacts } from "#worker/quota/facts-store";
import { includedOf } from "#worker/quota/units";
import { changeSandbox } from "#worker/sandboxes/change-store";
import { insertReserved } from "#worker/sandboxes/insert-store";
import { endSandbox } from "#worker/sandboxes/store";
import { sweep } from "#worker/sandboxes/sweep";
import { settleOverdue } from "#worker/usage/settle-store";

const capMicros = 60_000;
const operationsPerHistory = 500;
const histories = 20;
const dayMs = 86_400_000;

const which = fc.nat(20);
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("create" as const),
      lifetimeSeconds: fc.integer({ min: 60, max: 3_600 }),
      capMicros: fc.option(fc.integer({ min: 100, max: 20_000 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("extend" as const),
      which,
      lifetimeSeconds: fc.integer({ min: 60, max: 7_200 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("use" as const),
      which,
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("kill" as const),
      which,
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("refused" as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lost" as const), which }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** What is used of what is still held, as a host would report it: at most all of it, in money for one with a cap. */
function useStatements(h: Harness, id: SandboxId, part: number, isFinal: boolean) {
  const { db } = h.deps;
  const month = new Date(h.clock.now()).toISOString().slice(0, 7);
  // Half of a cap at most each time: its host stops before it, and the price of a part is at most the price of all.
  const share = sql`min(${part}, iif(cap_micros IS NULL, 1.0, max(0.0, cap_micros * 0.4 - used_cpu_ms * 0.014 - used_memory_mib_seconds * 0.0044
    - used_disk_mib_seconds * 0.000055 - 8) / (cpu_ms * 0.014 + memory_mib_seconds * 0.0044 + disk_mib_seconds * 0.000055 + 1)))`;
  const of = (column: string) =>
    sql`CAST(${share} * max(0, ${sql.raw(`${column} - used_${column}`)}) AS INTEGER)`;
  const amounts = sql`${of("cpu_ms")}, ${of("memory_mib_seconds")}, ${of("disk_mib_seconds")}, 0, 0`;
  return [
    db.run(sql`
      INSERT INTO usage_months
      SELECT tenant_id, ${month}, key_id, ${amounts} FROM holds WHERE sandbox_id = ${id} AND settled_at_ms IS NULL
      ON CONFLICT DO UPDATE SET cpu_ms = cpu_ms + excluded.cpu_ms,
        memory_mib_seconds = memory_mib_seconds + excluded.memory_mib_seconds,
        disk_mib_seconds = disk_mib_seconds + excluded.disk_mib_seconds`),
    db.run(sql`
      UPDATE holds SET (used_cpu_ms, used_memory_mib_seconds, used_disk_mib_seconds, events_seen, events_expected) =
        (used_cpu_ms + ${of("cpu_ms")}, used_memory_mib_seconds + ${of("memory_mib_seconds")},
          used_disk_mib_seconds + ${of("disk_mib_seconds")}, events_seen + 1, iif(${isFinal ? 1 : 0}, events_seen + 1, NULL))
      WHERE sandbox_id = ${id} AND settled_at_ms IS NULL`),
    db.run(sql`
      UPDATE holds SET settled_at_ms = ${h.clock.now()}
      WHERE settled_at_ms IS NULL AND events_expected IS NOT NULL AND events_seen >= events_expected`),
  ];
}

async function expectWithinCap(h: Harness): Promise<void> {
  const facts = await readFacts(h.deps.db, h.tenantId, { keyId: h.id, atMs: h.clock.now() });
  if (!facts) throw new Error("no facts");
  const { tenant, sheet } = facts;
  const added = { quantities: noQuantities, micros: 0 };
  const { spent, held } = moneyOf(tenant, { added, sheet, included: includedOf(sheet) });
  expect(spent).toBeLessThanOrEqual(capMicros);
  expect(spent + held).toBeLessThanOrEqual(capMicros);
}

/** Plays one history. How many creates were admitted and were not taken back. */
async function play(h: Harness, operations: Operation[]) {
  const { db } = h.deps;
  const live: { id: SandboxId; isUsed: boolean }[] = [];
  const count = { made: 0, refused: 0, takenBack: 0 };
  const done = () => ({ by: bySystem, nowMs: h.clock.now() });
  const take = (at: number) => live.splice(at % live.length, 1)[0];
  for (const [at, operation] of operations.entries()) {
    h.clock.advance(500);
    if (operation.kind === "create") {
      const { lifetimeSeconds, capMicros } = operation;
      const expiresAtMs = h.clock.now() + lifetimeSeconds * 1000;
      const row = {
        ...creatingRow(h),
        lifetimeSeconds,
        expiresAtMs,
        capMicros,
        id: newSandboxId(h.host.code),
      };
      if (await insertReserved(db, h.tenantId, row, takingOf(h))) {
        live.push({ id: row.id, isUsed: false });
        count.made++;
      } else count.refused++;
    } else if (live.length > 0) {
      const sandbox =
        operation.kind === "extend" || operation.kind === "use"
          ? live[operation.which % live.length]
          : take(operation.which);
      if (!sandbox) throw new Error("none");
      const { id } = sandbox;
      const end = { sandboxId: id, generation: 1, reason: "killed" as const, endedAtMs: h.clock.now() };
      if (operation.kind === "extend") {
        await changeSandbox(db, h.tenantId, id, { lifetimeSeconds: operation.lifetimeSeconds }, done());
      } else if (operation.kind === "use") {
        sandbox.isUsed = true;
        await runBatch(db, useStatements(h, id, operation.part, false));
      } else if (operation.kind === "kill") {
        await Promise.all([endSandbox(db, h.tenantId, end, done()), endSandbox(db, h.tenantId, end, done())]);
        await runBatch(db, useStatements(h, id, operation.part, true));
      } else if (operation.kind === "refused") {
        const unmade = { ...end, isUnmade: true };
        await Promise.all([
          endSandbox(db, h.tenantId, unmade, done()),
          endSandbox(db, h.tenantId, unmade, done()),
        ]);
        if (!sandbox.isUsed) count.takenBack++;
      } else await endSandbox(db, h.tenantId, end, done());
    }
    if (at % 10 === 0) await expectWithinCap(h);
  }
  return count;
}

test("whatever happens in whatever order, no cap is passed, and in the end nothing is held and all is counted once", async () => {
  const seed = Date.now() % 1_000_000;
  console.info(`seed ${seed}`);
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: operationsPerHistory, maxLength: operationsPerHistory }),
      async (operations) => {
        const h = await harness({ maxSandboxes: 1_000 });
        try {
          await allowBare(h, h.tenantId, { capMicros });
          const count = await play(h, operations);
          refused += count.refused;
          await expectWithinCap(h);
          // The host is gone: deadlines pass, then the day in which its reports are waited for.
          h.clock.advance(7_200_000 + dayMs + 20_000);
          await sweep(h.deps);
          const nowMs = h.clock.now();
          await settleOverdue(h.deps.db, { overdueBeforeMs: nowMs - dayMs, nowMs, rowsMax: 1_000 });
          const creates = count.made - count.takenBack;
          expect(await booksOf(h, h.tenantId)).toEqual({ holds: 0, slots: 0, creates });
        } finally {
          await h.close();
        }
      },
    ),
    { numRuns: histories, seed, endOnFailure: true },
  );
  // The cap is met often enough for all of this to mean something.
  expect(refused).toBeGreaterThan(histories * 10);
}, 300_000);
