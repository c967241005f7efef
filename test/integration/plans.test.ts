import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { api } from "#contract/api";
import { NewTenant, PlanList, Tenant } from "#contract/tenant";
import { type Harness, harness, problemOf } from "#test/support/harness";

let h: Harness;
beforeEach(async () => {
  h = await harness();
});
afterEach(() => h.close());

const admin = (method: string, path: string, json?: unknown, headers = {}) =>
  h.send(method, `/admin/v1${path}`, { key: h.adminKey, ...(json !== undefined && { json }), headers });
async function open(json: object = {}): Promise<NewTenant> {
  const response = await admin("POST", "/tenants", { name: "acme", ...json });
  if (response.status !== 201) throw new Error(await response.text());
  return NewTenant.parse(await response.json());
}
const read = async (id: string) => Tenant.parse(await (await admin("GET", `/tenants/${id}`)).json());
const statusOf = async (key: string) => (await h.send("GET", "/v1/sandboxes", { key })).status;
const rowsOf = async (sql: string, ...args: string[]) =>
  (await h.database.client.execute({ sql, args })).rows;

describe("plans", () => {
  const { body: terms } = api.putPlan.example;

  test("are shipped, made, changed for all their tenants at once, and deleted when nobody is on them", async () => {
    const names = async () =>
      PlanList.parse(await (await admin("GET", "/plans")).json()).items.map(({ name }) => name);
    expect(await names()).toEqual(["free", "scale", "standard"]);
    expect((await admin("PUT", "/plans/team", terms)).status).toBe(200);
    const { id, apiKey } = await open({ plan: "team" });
    expect(await statusOf(apiKey)).toBe(200);
    await admin("PUT", "/plans/team", { ...terms, limits: { ...terms.limits, concurrentSandboxes: 0 } });
    expect((await read(id)).limits.concurrentSandboxes).toBe(0);
    const refused = await h.send("POST", "/v1/sandboxes", { key: apiKey, json: {} });
    expect((await problemOf(refused)).code).toBe("quota_exceeded");
    expect((await problemOf(await admin("DELETE", "/plans/team"))).code).toBe("conflict");
    await admin("PATCH", `/tenants/${id}`, { plan: "free" });
    expect((await admin("DELETE", "/plans/team")).status).toBe(204);
    expect((await problemOf(await admin("DELETE", "/plans/team"))).code).toBe("plan_not_found");
    const noted = await rowsOf("SELECT action FROM audit WHERE subject = 'team' ORDER BY sequence");
    expect(noted.map(({ action }) => action)).toEqual(["plan.changed", "plan.changed", "plan.deleted"]);
  });

  test("are kept for deleted tenants until nothing of those is left to be billed", async () => {
    await admin("PUT", "/plans/team", terms);
    const { id } = await open({ plan: "team" });
    await rowsOf("UPDATE tenants SET deleted_at_ms = 1, removal_began_at_ms = 1 WHERE id = ?", id);
    expect((await problemOf(await admin("DELETE", "/plans/team"))).code).toBe("conflict");
    await rowsOf("UPDATE tenants SET removed_at_ms = 1 WHERE id = ?", id);
    expect((await admin("DELETE", "/plans/team")).status).toBe(204);
  });

  test("say all limits and prices in full, or are refused", async () => {
    const { burst: _burst, ...limits } = terms.limits;
    const refused = await admin("PUT", "/plans/team", { ...terms, limits });
    expect(await problemOf(refused)).toMatchObject({ status: 400, issues: [{ path: "limits.burst" }] });
  });
});
