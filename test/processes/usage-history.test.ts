import { sql } from "drizzle-orm";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newSandboxId, type SandboxId } from "#contract/ids";
import type { UsageEvent } from "#contract/usage";
import { patchSandbox } from "#host/sandboxes/patch";
import { ingest } from "#worker/usage/ingest";
import { rebuildUsage } from "#worker/usage/rebuild";
import { seededRandom } from "../fakes/random.ts";
import { type Harness, harness } from "../support/harness.ts";
import { booksOf, holdFor, rowsOf } from "../support/ledger.ts";
import { meteredMachine } from "../support/metered-host.ts";

const steps = 10_000;
const lifetimeSeconds = 1_200;
const liveMax = 8;

/** What a step does, and numbers for it to choose by. */
type Step = { kind: (typeof kinds)[number]; which: number; amount: number };
const kinds = [
  ...["pass", "pass", "pass", "pass", "pass", "create", "create", "use", "use", "extend", "kill"],
  ...["deliver", "deliver", "deliverUnheard", "resend", "jump", "die", "crash", "crashWhileEnding"],
  ...["dieWhileDown", "vanishWhileDown", "finishedButNotOver"],
] as const;

/** The same history for the same seed. */
function* history(seed: number): Generator<Step> {
  const random = seededRandom(seed);
  const upTo = (max: number) => Math.floor(random() * max);
  for (let i = 0; i < steps; i++) {
    const kind = kinds[upTo(kinds.length)] ?? "pass";
    yield { kind, which: upTo(1_000), amount: 1 + upTo(30) };
  }
}

/** What really happened to one sandbox, by a clock that nobody can set. */
type Truth = { beganMs: number; grantedMs: number; cpuMs: number; endedMs?: number; isCpuKnown: boolean };

let h: Harness;
beforeAll(async () => {
  h = await harness();
});
afterAll(() => h.close());

/** One machine and one control plane, everything that can go wrong between them, and the truth beside. */
function world() {
  const m = meteredMachine({ startMs: Date.UTC(2030, 0, 31, 21) });
  const truths = new Map<SandboxId, Truth>();
  const sent: UsageEvent[] = [];
  const liveIds = () =>
    m
      .host()
      .registry.all()
      .filter(({ ending }) => !ending)
      .map(({ lease }) => lease.sandboxId);
  const oneOf = (which: number) => {
    const ids = liveIds();
    return ids[which % Math.max(1, ids.length)];
  };
  const truthOf = (id: SandboxId) => truths.get(id) as Truth;
  const report = (events: UsageEvent[]) => ingest(h.deps, h.host.hostId, { events });

  async function create() {
    if (liveIds().length >= liveMax) return;
    const id = newSandboxId(h.host.code);
    const { tenantId } = h;
    const createdAtMs = m.clock.nowMs;
    await holdFor(h.deps.db, { sandboxId: id, tenantId, keyId: h.id, createdAtMs, lifetimeSeconds });
    await m.create({ sandboxId: id, tenantId, expiresAtMs: createdAtMs + lifetimeSeconds * 1000 });
    truths.set(id, { beganMs: m.steady.ms, grantedMs: lifetimeSeconds * 1000, cpuMs: 0, isCpuKnown: true });
  }
  async function extend(id: SandboxId, seconds: number) {
    await h.deps.db.run(sql`
      UPDATE holds SET lifetime_seconds = lifetime_seconds + ${seconds}, cpu_ms = cpu_ms + ${seconds * 1000},
        memory_mib_seconds = memory_mib_seconds + ${256 * seconds},
        disk_mib_seconds = disk_mib_seconds + ${1024 * seconds}
      WHERE sandbox_id = ${id}`);
    const live = m.liveOf(id);
    patchSandbox(m.host().deps, live, { expiresAtMs: live.lease.expiresAtMs + seconds * 1000 });
    truthOf(id).grantedMs += seconds * 1000;
  }
  async function kill(id: SandboxId) {
    truthOf(id).endedMs = m.steady.ms;
    await m.end(id);
  }
  async function deliver(max: number, isHeard: boolean) {
    const batch = m.host().usage.outbox.peek(max);
    if (!batch) return;
    await report(batch.events);
    sent.push(...batch.events);
    if (isHeard) m.host().usage.outbox.acknowledge(batch);
  }
  /** A host that is killed, and what happens until the next one is there. */
  async function crash(id: SandboxId | undefined, downMs: number, how?: "dies" | "vanishes") {
    const { member } = (id && m.liveOf(id)) ?? {};
    await m.restart(() => {
      if (id && member && how === "vanishes") {
        Object.assign(truthOf(id), { endedMs: m.steady.ms, isCpuKnown: false });
        m.runtime.containers.delete(member.handle);
      }
      m.clock.nowMs += downMs;
      m.steady.ms += downMs;
      if (!id || !member || how !== "dies") return;
      Object.assign(truthOf(id), { endedMs: m.steady.ms, isCpuKnown: false });
      m.runtime.die(member, m.clock.nowMs);
      m.clock.nowMs += downMs;
      m.steady.ms += downMs;
    });
  }
  async function take({ kind, which, amount }: Step): Promise<void> {
    const id = oneOf(which);
    if (kind === "pass") m.pass(amount);
    else if (kind === "create") await create();
    else if (kind === "deliver") await deliver(amount * 4, true);
    else if (kind === "deliverUnheard") await deliver(amount, false);
    else if (kind === "jump") m.clock.nowMs += (which - 500) * 7_200;
    else if (kind === "crash") await crash(undefined, amount * 1_000);
    else if (kind === "resend" && sent.length > 0) {
      const from = which % sent.length;
      await report(sent.slice(from, from + amount).reverse());
    }
    if (!id) return;
    if (kind === "use") {
      m.use(id, amount * 10);
      truthOf(id).cpuMs += amount * 10;
    } else if (kind === "extend") await extend(id, amount * 10);
    else if (kind === "kill") await kill(id);
    else if (kind === "dieWhileDown") await crash(id, amount * 500, "dies");
    else if (kind === "vanishWhileDown") await crash(id, amount * 500, "vanishes");
    else if (kind === "die") {
      Object.assign(truthOf(id), { endedMs: m.steady.ms, isCpuKnown: false });
      const { member, ending } = m.liveOf(id);
      m.runtime.die(member);
      await (ending ?? m.end(id));
    } else if (kind === "crashWhileEnding") {
      // Killed by its host, which did not come to write any of it.
      await crash(id, 0, "dies");
    } else if (kind === "finishedButNotOver") {
      m.host().meter.read(m.liveOf(id));
      m.host().meter.finish(m.liveOf(id).lease);
      await crash(id, 0, "dies");
      truthOf(id).isCpuKnown = true;
    }
  }
  async function quiet() {
    for (const id of liveIds()) await kill(id);
    while (m.host().usage.outbox.pending > 0) await deliver(400, true);
  }
  return { truths, take, quiet, dispose: () => m.dispose() };
}

type Sum = { sandbox_id: SandboxId; events: number; last: number; cpu: number; mib: number; gaps: number };

async function sums(): Promise<Map<SandboxId, Sum>> {
  const rows = (await rowsOf(
    h.deps.db,
    `SELECT sandbox_id, count(*) AS events, max(sequence) AS last, sum(cpu_ms) AS cpu, sum(memory_mib_seconds) AS mib,
      sum(from_ms <> before) AS gaps
    FROM (SELECT *, lag(to_ms, 1, from_ms) OVER (PARTITION BY sandbox_id ORDER BY sequence) AS before FROM usage_events)
    GROUP BY sandbox_id`,
  )) as Sum[];
  return new Map(rows.map((row) => [row.sandbox_id, row]));
}

test(`after ${steps} random steps the ledger is the truth, each interval in it once, and nothing is held`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const w = world();
      try {
        for (const each of history(seed)) await w.take(each);
        await w.quiet();
        const ledger = await sums();
        expect(w.truths.size).toBeGreaterThan(steps / 50);
        for (const [id, truth] of w.truths) {
          const sum = ledger.get(id);
          const lifeMs = Math.min(truth.grantedMs, (truth.endedMs ?? 0) - truth.beganMs);
          expect({ ...sum, lifeMs, off: Math.abs((sum?.mib ?? 0) / 256 - lifeMs / 1000) <= 1 }).toMatchObject(
            {
              events: sum?.last,
              gaps: 0,
              off: true,
            },
          );
          if (truth.isCpuKnown) expect(sum?.cpu).toBe(truth.cpuMs);
          else expect(sum?.cpu).toBeLessThanOrEqual(truth.cpuMs);
        }
        expect(await rowsOf(h.deps.db, "SELECT * FROM holds WHERE settled_at_ms IS NULL")).toEqual([]);
        const books = await booksOf(h.deps.db);
        await rebuildUsage({ db: h.deps.db, now: () => Date.UTC(2030, 1, 1) }, h.tenantId);
        expect(await booksOf(h.deps.db)).toEqual(books);
      } finally {
        await w.dispose();
      }
    }),
    // One long history; a failure names the seed that repeats it.
    { numRuns: 1, endOnFailure: true },
  );
}, 240_000);
