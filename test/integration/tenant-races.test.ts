import { afterEach, beforeEach, expect, test } from "vitest";
import { gate } from "#test/fakes/gate";
import { type Harness, harness } from "#test/support/harness";
import { beginRemoval, removeSome } from "#worker/tenants/remove-store";

let h: Harness;
beforeEach(async () => {
  h = await harness();
});
afterEach(() => h.close());

const admin = (method: string, path: string) => h.send(method, `/admin/v1${path}`, { key: h.adminKey });

test("a create that is under way while its tenant is suspended does not survive it", async () => {
  const step = gate();
  h.provider.holdNext("create", step.opened);
  const under = h.send("POST", "/v1/sandboxes", { key: h.key, json: {} });
  await expect.poll(() => h.slotsUsed()).toBe(1);
  await admin("POST", `/tenants/${h.tenantId}/suspend`);
  step.open();
  await under;
  await h.settled();
  const [live] = h.provider.liveOn(h.host.hostId);
  const { kill } = await h.heartbeat();
  expect(kill).toEqual([{ sandboxId: live?.sandboxId, generation: 1, reason: "killed" }]);
  const { rows } = await h.database.client.execute("SELECT state FROM sandboxes");
  expect(rows).toEqual([{ state: "ending" }]);
});

test("a removal that has begun cannot be crossed by a resumption, nor the other way round", async () => {
  const times = { deletedBeforeMs: h.clock.now(), nowMs: h.clock.now() };
  await admin("DELETE", `/tenants/${h.tenantId}`);
  await admin("POST", `/tenants/${h.tenantId}/resume`);
  // By a sweep that saw the tenant deleted before.
  await beginRemoval(h.deps.db, h.tenantId, times);
  expect(await removeSome(h.deps.db, h.tenantId, { rowsMax: 10, nowMs: 1 })).toEqual({
    removed: 0,
    isDone: false,
  });
  expect((await h.send("GET", "/v1/keys", { key: h.key })).status).toBe(200);
  await admin("DELETE", `/tenants/${h.tenantId}`);
  await beginRemoval(h.deps.db, h.tenantId, times);
  expect((await admin("POST", `/tenants/${h.tenantId}/resume`)).status).toBe(404);
  const { rows } = await h.database.client.execute({
    sql: "SELECT action FROM audit WHERE subject = ? ORDER BY sequence",
    args: [h.tenantId],
  });
  expect(rows.map(({ action }) => action)).toEqual([
    "tenant.created",
    "tenant.deleted",
    "tenant.resumed",
    "tenant.deleted",
    "tenant.removed",
  ]);
});
