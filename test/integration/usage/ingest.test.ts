import { sql } from "drizzle-orm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { newHostCode, newSandboxId } from "#contract/ids";
import { databaseOver } from "#worker/db/client";
import { openEdgeClient } from "#worker/db/edge";
import { ingest } from "#worker/usage/ingest";
import { startHrana } from "../../../scripts/edge/hrana/server.ts";
import { harness, problemOf } from "../../support/harness.ts";
import { signedHeartbeat, usagePath } from "../../support/heartbeats.ts";
import {
  booksOf,
  holdFor,
  ledgerOfThisFile,
  lifeOf,
  rowsOf,
  startMs,
  usageEvent,
} from "../../support/ledger.ts";

const books = ledgerOfThisFile();

test("a signed report is recorded, and answered so that its host forgets it", async () => {
  const id = await books.sandbox();
  const said = { events: lifeOf(id, 3) };
  const now = books.h.clock.now();
  const response = await books.h.app.request(
    usagePath,
    await signedHeartbeat(books.h.host, said, now, usagePath),
  );
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ accepted: 3 });
  const { events, months, holds } = await booksOf(books.h.deps.db);
  expect(events).toHaveLength(3);
  expect(events[0]).toMatchObject({
    tenant_id: books.h.tenantId,
    key_id: books.h.id,
    metadata: '{"team":"red"}',
  });
  expect(months).toMatchObject([{ month: "2030-01", cpu_ms: 300, memory_mib_seconds: 256 * 180 }]);
  expect(holds).toMatchObject([{ used_cpu_ms: 300, events_seen: 3, events_expected: 3, is_settled: 1 }]);
});

test("a report that is not signed by a host, or by one that was never registered, is refused and changes nothing", async () => {
  const said = { events: lifeOf(await books.sandbox(), 1) };
  const now = books.h.clock.now();
  const stranger = { ...books.h.host, key: "00".repeat(32) };
  const forged = await books.h.app.request(usagePath, await signedHeartbeat(stranger, said, now, usagePath));
  expect((await problemOf(forged)).code).toBe("unauthenticated");
  const other = await harness();
  const unknown = other.host;
  await other.close();
  await expect(ingest(books.h.deps, unknown.hostId, said)).rejects.toMatchObject({ code: "forbidden" });
  expect((await booksOf(books.h.deps.db)).events).toEqual([]);
});

test("a host that was removed still reports what it has metered, and what was held for it is settled", async () => {
  const said = { events: lifeOf(await books.sandbox(), 2) };
  const { db } = books.h.deps;
  await db.run(sql`UPDATE hosts SET removed_at_ms = 1`);
  const signed = await signedHeartbeat(books.h.host, said, books.h.clock.now(), usagePath);
  const response = await books.h.app.request(usagePath, signed);
  await db.run(sql`UPDATE hosts SET removed_at_ms = NULL`);
  expect(response.status).toBe(200);
  const { months, holds } = await booksOf(db);
  expect(months).toMatchObject([{ cpu_ms: 200 }]);
  expect(holds).toMatchObject([{ events_seen: 2, is_settled: 1 }]);
});

test("a host bills nobody for sandboxes of other hosts, of other generations, or that nobody has made", async () => {
  const [foreign, unknown, other] = [
    newSandboxId(newHostCode()),
    newSandboxId(books.h.host.code),
    await books.sandbox(),
  ];
  const { tenantId, id: keyId } = books.h;
  await holdFor(books.h.deps.db, { sandboxId: foreign, tenantId, keyId, createdAtMs: startMs });
  const events = [
    ...lifeOf(foreign, 1),
    ...lifeOf(unknown, 1),
    ...lifeOf(other, 1).map((event) => ({ ...event, generation: 2 })),
  ];
  expect(await books.take(events)).toEqual({ accepted: 3 });
  const { events: recorded, months } = await booksOf(books.h.deps.db);
  expect([recorded, months]).toEqual([[], []]);
  expect(books.logged("usage_foreign")).toMatchObject([{ ids: [`${foreign}-1-1`] }]);
  expect(books.logged("usage_unknown")[0]?.ids).toEqual([`${unknown}-1-1`, `${other}-2-1`]);
});

test("in any order, any batches and any number of times, events leave the same books", async () => {
  const ids = await Promise.all([books.sandbox(), books.sandbox(), books.sandbox({ lifetimeSeconds: 7200 })]);
  const all = [...lifeOf(ids[0] as never, 4), ...lifeOf(ids[1] as never, 9), ...lifeOf(ids[2] as never, 100)];
  const { holds } = { holds: await rowsOf(books.h.deps.db, "SELECT * FROM holds") };
  const reset = async () => {
    for (const table of ["usage_events", "usage_hours", "usage_months"])
      await books.h.deps.db.run(sql.raw(`DELETE FROM ${table}`));
    await books.h.deps.db.run(sql`UPDATE holds SET used_cpu_ms = 0, used_memory_mib_seconds = 0, used_disk_mib_seconds = 0,
      events_seen = 0, events_expected = NULL, settled_at_ms = NULL`);
  };
  await books.take(all);
  const expected = await booksOf(books.h.deps.db);
  expect(expected.holds.every(({ is_settled }) => is_settled === 1)).toBe(true);
  expect(holds).toHaveLength(3);
  const repeated = fc.shuffledSubarray(all, { minLength: 0 });
  const order = fc
    .tuple(fc.shuffledSubarray(all, { minLength: all.length }), repeated)
    .map(([whole, again]) => [...whole, ...again])
    .chain((events) => fc.shuffledSubarray(events, { minLength: events.length }));
  await fc.assert(
    fc.asyncProperty(order, fc.integer({ min: 1, max: 60 }), async (events, size) => {
      await reset();
      for (let i = 0; i < events.length; i += size) await books.take(events.slice(i, i + size));
      expect(await booksOf(books.h.deps.db)).toEqual(expected);
    }),
    { numRuns: 8 },
  );
});

test("the same report twice at once counts once", async () => {
  const events = lifeOf(await books.sandbox(), 5);
  await Promise.all([books.take(events), books.take(events), books.take(events)]);
  expect((await booksOf(books.h.deps.db)).months).toMatchObject([{ cpu_ms: 500 }]);
});

test("over HTTP, as at the edge, the books are the same", async () => {
  const events = lifeOf(await books.sandbox(), 3);
  const over = usageEvent(await books.sandbox(), 1, {
    fromMs: startMs,
    quantities: { cpuMs: 1e9 },
    isFinal: true,
  });
  const path = books.h.database.url.replace("file:", "");
  const server = await startHrana({ path, token: "t" });
  const client = openEdgeClient(server.url, "t");
  try {
    const deps = { ...books.h.deps, db: databaseOver(client) };
    expect(await ingest(deps, books.h.host.hostId, { events: [...events, ...events, over] })).toEqual({
      accepted: 7,
    });
    const { months, holds } = await booksOf(books.h.deps.db);
    expect(months).toMatchObject([{ cpu_ms: 300 + 900_000 }]);
    expect(holds.map(({ is_settled }) => is_settled)).toEqual([1, 1]);
    expect(books.logged("usage_clamped")).toHaveLength(1);
  } finally {
    client.close();
    await server.close();
  }
});

test("F16: a host whose clock is wrong by a year bills in the life that we know of", async () => {
  const id = await books.sandbox();
  await books.take(lifeOf(id, 2, startMs - 365 * 24 * 3_600_000));
  await books.take([
    usageEvent(await books.sandbox(), 1, { fromMs: startMs + 365 * 24 * 3_600_000, isFinal: true }),
  ]);
  expect((await booksOf(books.h.deps.db)).hours.map(({ hour }) => hour)).toEqual(["2030-01-01T10"]);
});
