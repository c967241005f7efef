import { sql } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type * as z from "zod";
import type { AuditPage, AuditRecord, AuditVerdict } from "#contract/audit";
import { limits } from "#contract/limits";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { sealAudit } from "#worker/audit/seal";
import { type AuditEntry, auditStatement } from "#worker/audit/store";
import { verifyAudit } from "#worker/audit/verify";
import { runBatch } from "#worker/db/rider";

type Page = z.infer<typeof AuditPage>;

let h: Harness;
beforeEach(async () => {
  h = await harness();
  await h.database.client.execute("DROP TRIGGER audit_is_kept");
  await startAnew();
});
afterEach(() => h.close());

/** What the harness itself has changed is not what these tests are about. */
const startAnew = () =>
  h.database.client.batch(
    ["DELETE FROM audit", "DELETE FROM audit_heads", "DELETE FROM sqlite_sequence WHERE name = 'audit'"],
    "write",
  );
const minuteMs = 60_000;
async function write(...entries: Partial<AuditEntry>[]) {
  const base: AuditEntry = {
    tenantId: h.tenantId,
    atMs: h.clock.now(),
    actor: `key:${h.id}`,
    action: "thing.made",
    subject: "a",
    requestId: null,
  };
  await runBatch(
    h.deps.db,
    entries.map((entry) => auditStatement(h.deps.db, { ...base, ...entry }, sql`TRUE`)),
  );
}
const get = (query: string, key = h.key) => h.send("GET", `/v1/audit${query}`, { key });
const page = async (query = "", key = h.key) => (await (await get(query, key)).json()) as Page;
const subjects = ({ items }: Page) => items.map(({ subject }) => subject);

describe("the audit of a tenant", () => {
  test("lists what was changed of its own, newest first, and nothing of anybody else's", async () => {
    const other = await h.tenant("other");
    await startAnew();
    await write({ subject: "a", details: { plan: "free", seats: 2, isNew: true, was: null } });
    await write({ subject: "theirs", tenantId: other.tenantId }, { subject: "all", tenantId: null });
    await write({ subject: "b", actor: `host:${h.host.hostId}`, requestId: "req_1" });
    expect((await page()).items).toEqual([
      { ...made("b"), actor: "host", details: {}, requestId: "req_1" },
      { ...made("a"), actor: `key:${h.id}`, details: { plan: "free", seats: 2, isNew: true, was: null } },
    ]);
    expect(subjects(await page("", other.key))).toEqual(["theirs"]);
  });

  test("comes in pages that neither leave out nor repeat, while more is written", async () => {
    for (const subject of ["a", "b", "c", "d", "e"]) await write({ subject });
    const first = await page("?limit=2");
    await write({ subject: "f" });
    const second = await page(`?limit=2&cursor=${first.nextCursor}`);
    const third = await page(`?limit=2&cursor=${second.nextCursor}`);
    expect([first, second, third].map(subjects)).toEqual([["e", "d"], ["c", "b"], ["a"]]);
    expect(third.nextCursor).toBeUndefined();
  });

  test("is filtered by action, subject and time", async () => {
    const startMs = h.clock.now();
    const at = (minutes: number) => new Date(startMs + minutes * minuteMs).toISOString();
    await write({ subject: "a" }, { subject: "b", action: "thing.ended", atMs: startMs + minuteMs });
    await write({ subject: "a", action: "thing.ended", atMs: startMs + 2 * minuteMs });
    expect(subjects(await page("?action=thing.ended"))).toEqual(["a", "b"]);
    expect(subjects(await page("?action=thing.ended&subject=b"))).toEqual(["b"]);
    expect(subjects(await page(`?from=${at(1)}`))).toEqual(["a", "b"]);
    expect(subjects(await page(`?from=${at(1)}&to=${at(2)}`))).toEqual(["b"]);
    expect(subjects(await page(`?to=${at(0)}`))).toEqual([]);
  });

  test("looks through a bounded number of rows for one page, and goes on with the next", async () => {
    await write({ subject: "wanted", action: "thing.ended" });
    await h.database.client.execute(`
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${limits.listScanMaxRows + 10})
      INSERT INTO audit (tenant_id, at_ms, actor, action, subject, details)
      SELECT tenant_id, at_ms, actor, 'thing.made', i, '{}' FROM audit, n`);
    const first = await page("?action=thing.ended");
    expect(subjects(first)).toEqual([]);
    expect(subjects(await page(`?action=thing.ended&cursor=${first.nextCursor}`))).toEqual(["wanted"]);
    h.clock.advance(3 * 60 * minuteMs);
    const from = new Date(h.clock.now()).toISOString();
    expect((await page(`?from=${from}`)).nextCursor).toBeUndefined();
  });

  test("takes no cursor of another tenant, another list or its own making", async () => {
    await write({}, {}, {});
    const other = await h.tenant("other");
    const { nextCursor = "" } = await page("?limit=1");
    for (const [cursor, key] of [
      [nextCursor, other.key],
      [btoa("1.2.0"), h.key],
      ["x", h.key],
    ] as const) {
      const response = await get(`?cursor=${encodeURIComponent(cursor)}`, key);
      expect([response.status, (await problemOf(response)).code]).toEqual([400, "invalid_request"]);
    }
    expect((await get("?tenantId=ten_x")).status).toBe(400);
  });
});

describe("the operator", () => {
  const verify = async (json: unknown = {}) => {
    const response = await h.send("POST", "/admin/v1/audit/verify", { key: h.adminKey, json });
    return (await response.json()) as AuditVerdict;
  };
  const records = async (query = "") => {
    const response = await h.send("GET", `/admin/v1/audit${query}`, { key: h.adminKey });
    return ((await response.json()) as { items: AuditRecord[] }).items;
  };

  test("lists what was changed in the whole service, by tenant too, with numbers and hashes", async () => {
    await write({ subject: "a" }, { subject: "all", tenantId: null, actor: `host:${h.host.hostId}` });
    await sealAudit(h.deps);
    await write({ subject: "b" });
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(await records()).toMatchObject([
      { sequence: 3, subject: "b", tenantId: h.tenantId, hash: null },
      { sequence: 2, subject: "all", tenantId: null, actor: `host:${h.host.hostId}`, hash },
      { sequence: 1, subject: "a", tenantId: h.tenantId, hash },
    ]);
    expect((await records(`?tenantId=${h.tenantId}`)).map(({ subject }) => subject)).toEqual(["b", "a"]);
  });

  test("has the chain verified, and goes on from where that ended", async () => {
    await write({}, {}, {});
    await sealAudit(h.deps);
    const first = await verify();
    expect(first).toMatchObject({ isIntact: true, isComplete: true, checked: 3, through: { sequence: 3 } });
    await write({});
    await sealAudit(h.deps);
    expect(await verify({ after: first.through })).toMatchObject({ isIntact: true, checked: 1 });
    await h.database.client.execute("DELETE FROM audit WHERE sequence = 2");
    expect(await verify()).toMatchObject({ isIntact: false, finding: { sequence: 2, kind: "removed" } });
    const forged = await verify({ after: { ...first.through, hash: "0".repeat(64) } });
    expect(forged.finding).toEqual({ sequence: 3, kind: "changed" });
  });
});

test("a change is sealed behind its answer, and by the sweep where many come at once", async () => {
  await write({});
  await h.create();
  expect((await verifyAudit(h.deps)).isIntact).toBe(true);
  const unsealed = async () =>
    (await h.database.client.execute("SELECT count(*) n FROM audit WHERE hash IS NULL")).rows[0]?.n;
  expect(await unsealed()).toBe(0);
  await write({});
  await h.create();
  expect(await unsealed()).not.toBe(0);
  h.clock.advance(1_000);
  await h.create();
  expect(await unsealed()).toBe(0);
});

function made(subject: string) {
  return { at: new Date(h.clock.now()).toISOString(), action: "thing.made", subject, requestId: null };
}
