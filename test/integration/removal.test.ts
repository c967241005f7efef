import { afterEach, beforeEach, expect, test } from "vitest";
import { type Harness, harness } from "#test/support/harness";
import { removeSome } from "#worker/tenants/remove-store";

let h: Harness;
beforeEach(async () => {
  h = await harness();
});
afterEach(() => h.close());

type Sent = { sql: string; args?: (string | number | null)[] };

/** The statements of one round of a removal, as they were sent. */
async function sentByRemoval(): Promise<Sent[]> {
  const { client } = h.database;
  const batch = client.batch;
  const sent: Sent[] = [];
  client.batch = (...args) => {
    sent.push(...(args[0] as Sent[]));
    return batch(...args);
  };
  await removeSome(h.deps.db, h.tenantId, { rowsMax: 1_000, nowMs: h.clock.now() });
  client.batch = batch;
  return sent;
}

test("a removal finds what there is of its tenant by indexes, in tables that are large", async () => {
  const sent = await sentByRemoval();
  expect(sent.length).toBeGreaterThan(12);
  const scans: string[] = [];
  for (const { sql, args = [] } of sent) {
    const { rows } = await h.database.client.execute({ sql: `EXPLAIN QUERY PLAN ${sql}`, args });
    expect(rows.length).toBeGreaterThan(0);
    scans.push(...rows.map(({ detail }) => String(detail)).filter((detail) => detail.startsWith("SCAN")));
  }
  const large = /^SCAN (h|holds|reservations|idempotency|usage_events|sandboxes|runs)\b/;
  expect(scans.filter((scan) => large.test(scan))).toEqual([]);
});
