import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { api } from "#contract/api";
import { Plan } from "#contract/plan";
import { NewTenant, PlanList, Tenant, TenantPage } from "#contract/tenant";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { authenticate } from "#worker/auth/authenticate";
import { runSweep } from "#worker/jobs";
import { removeTenants } from "#worker/tenants/remove";

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

describe("a new tenant", () => {
  test("has a key that works at once, and the limits of its plan with its own on top", async () => {
    const made = await open({ limits: { concurrentSandboxes: 1 }, budget: { monthlyCapMicros: 7 } });
    expect(await statusOf(made.apiKey)).toBe(200);
    expect(await read(made.id)).toMatchObject({
      state: "active",
      plan: "free",
      limits: { concurrentSandboxes: 1, burst: 40 },
      overrides: { concurrentSandboxes: 1 },
      budget: { monthlyCapMicros: 7 },
      use: { sandboxes: 0, runs: 0, createsToday: 0, keys: 1 },
    });
    await h.create({}, made.apiKey);
    const second = await h.send("POST", "/v1/sandboxes", { key: made.apiKey, json: {} });
    expect((await problemOf(second)).status).toBe(429);
    expect((await read(made.id)).use).toMatchObject({ sandboxes: 1 });
  });

  test("has a name of its own and a plan that is there, or is not made at all", async () => {
    await open();
    expect((await problemOf(await admin("POST", "/tenants", { name: "acme" }))).code).toBe("conflict");
    const planless = await admin("POST", "/tenants", { name: "b", plan: "nothing" });
    expect((await problemOf(planless)).code).toBe("plan_not_found");
    expect(await rowsOf("SELECT 1 FROM tenants WHERE name = 'b'")).toEqual([]);
  });

  test("is made once for all requests with a key, and its secret is shown once", async () => {
    const headers = { "idempotency-key": "one" };
    const send = () => admin("POST", "/tenants", { name: "once" }, headers);
    const answers = await Promise.all([send(), send(), send()]);
    const [made] = answers.filter(({ status }) => status === 201);
    const { id, apiKey } = NewTenant.parse(await made?.json());
    for (const other of [...answers.filter((each) => each !== made), await send()]) {
      const text = await other.text();
      expect(JSON.parse(text)).toMatchObject({ code: "already_created", facts: { id } });
      expect(text).not.toContain(apiKey);
    }
    const changed = await admin("POST", "/tenants", { name: "another" }, headers);
    expect((await problemOf(changed)).code).toBe("idempotency_mismatch");
  });
});

test("two requests at once with one key make one tenant, whatever they call it", async () => {
  const send = (name: string) => admin("POST", "/tenants", { name }, { "idempotency-key": "two" });
  const answers = await Promise.all([send("one"), send("other")]);
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 422]);
  expect(await rowsOf("SELECT 1 FROM tenants WHERE name IN ('one', 'other')")).toHaveLength(1);
});

describe("changing a tenant", () => {
  test("or its plan holds at once where it was done, for a key that is in the cache", async () => {
    const { id, apiKey } = await open();
    const burst = async () => {
      const ctx = { requestId: "req_test", background: h.deps.background, note: () => undefined };
      return (await authenticate(h.deps, ctx, new Headers({ "x-api-key": apiKey }))).limits.burst;
    };
    expect(await burst()).toBe(40);
    await admin("PATCH", `/tenants/${id}`, { limits: { burst: 7 } });
    expect(await burst()).toBe(7);
    await admin("PATCH", `/tenants/${id}`, { limits: { burst: null } });
    const { name: _name, ...free } = Plan.parse(await (await admin("GET", "/plans/free")).json());
    expect(await burst()).toBe(40);
    await admin("PUT", "/plans/free", { ...free, limits: { ...free.limits, burst: 41 } });
    expect(await burst()).toBe(41);
  });

  test("adds overrides, drops those that are null, and leaves the rest", async () => {
    const { id } = await open({ limits: { burst: 5, concurrentSandboxes: 2 } });
    const patched = await admin("PATCH", `/tenants/${id}`, {
      limits: { burst: null, createsPerDay: 9 },
      budget: { monthlyCapMicros: 1 },
    });
    expect(Tenant.parse(await patched.json())).toMatchObject({
      overrides: { concurrentSandboxes: 2, createsPerDay: 9 },
      limits: { burst: 40, concurrentSandboxes: 2, createsPerDay: 9 },
      budget: { monthlyCapMicros: 1 },
    });
    await admin("PATCH", `/tenants/${id}`, { budget: null, plan: "standard", name: "acme 2" });
    const after = await read(id);
    expect(after).toMatchObject({ plan: "standard", name: "acme 2", limits: { concurrentSandboxes: 2 } });
    expect(after).not.toHaveProperty("budget");
  });

  test("takes no name of another, no plan that is not there, and no limit out of bounds", async () => {
    const { id } = await open();
    await open({ name: "taken" });
    const code = async (json: object) => (await problemOf(await admin("PATCH", `/tenants/${id}`, json))).code;
    expect(await code({ name: "taken" })).toBe("conflict");
    expect(await code({ plan: "nothing" })).toBe("plan_not_found");
    expect(await code({ limits: { burst: 0 } })).toBe("invalid_request");
    expect(await code({ limits: { nothing: 1 } })).toBe("invalid_request");
    expect(await code({})).toBe("invalid_request");
    expect(await read(id)).toMatchObject({ name: "acme", plan: "free", overrides: {} });
  });
});

describe("suspending a tenant", () => {
  test("ends its sandboxes and runs in the same moment, and their hosts are told with the next heartbeat", async () => {
    const { id, apiKey } = await open();
    const sandbox = await h.create({}, apiKey);
    const stays = await h.create();
    await h.database.client.execute({
      sql: `INSERT INTO runs (id, tenant_id, state, generation, template, cpu, memory_mib, timeout_ms, metadata,
          created_at_ms, deadline_at_ms) VALUES ('run_00000000000000000000', ?, 'queued', 0, 'base', 1, 256, 1, '{}', 1, ?)`,
      args: [id, h.clock.now() + 60_000],
    });
    const suspended = Tenant.parse(await (await admin("POST", `/tenants/${id}/suspend`)).json());
    expect(suspended).toMatchObject({ state: "suspended" });
    expect(await rowsOf("SELECT state, end_reason FROM sandboxes WHERE tenant_id = ?", id)).toEqual([
      { state: "ending", end_reason: "killed" },
    ]);
    expect(await rowsOf("SELECT state, end_reason FROM runs WHERE tenant_id = ?", id)).toEqual([
      { state: "canceled", end_reason: "killed" },
    ]);
    const { kill } = await h.heartbeat();
    expect(kill).toEqual([{ sandboxId: sandbox.id, generation: 1, reason: "killed" }]);
    expect(await h.read(stays.id)).toMatchObject({ state: "running" });
  });

  test("and letting it go on are noted once, however often they are asked for", async () => {
    const { id, apiKey } = await open();
    for (const verb of ["suspend", "suspend", "resume", "resume"]) {
      expect((await admin("POST", `/tenants/${id}/${verb}`)).status).toBe(200);
      expect(await statusOf(apiKey)).toBe(verb === "suspend" ? 403 : 200);
    }
    const rows = await rowsOf("SELECT action, actor FROM audit WHERE subject = ? ORDER BY sequence", id);
    expect(rows).toEqual(
      ["created", "suspended", "resumed"].map((what) => ({ action: `tenant.${what}`, actor: "operator" })),
    );
  });
});

describe("a deleted tenant", () => {
  const graceMs = 7 * 86_400_000;

  test("is refused at once and comes back within its grace", async () => {
    const { id, apiKey } = await open();
    expect(await statusOf(apiKey)).toBe(200);
    expect((await admin("DELETE", `/tenants/${id}`)).status).toBe(204);
    expect(await statusOf(apiKey)).toBe(403);
    const deleted = await read(id);
    expect(deleted.state).toBe("deleted");
    expect(Date.parse(deleted.removedAfter ?? "")).toBe(h.clock.now() + graceMs);
    h.clock.advance(graceMs - 1);
    await runSweep(h.deps);
    await admin("POST", `/tenants/${id}/resume`);
    expect(await statusOf(apiKey)).toBe(200);
  });

  test("leaves nothing after it but what has to be kept, and its name is free", async () => {
    const { id, apiKey } = await open();
    const { id: sandboxId } = await h.create({}, apiKey);
    await admin("DELETE", `/tenants/${id}`);
    await h.heartbeat({ live: [] });
    const statement =
      "INSERT INTO statements (tenant_id, month, body, closed_at_ms) VALUES (?, '2026-01', '{}', 1)";
    await h.database.client.execute({ sql: statement, args: [id] });
    for (const month of ["2026-01", "2026-02"]) {
      await h.database.client.execute({
        sql: `INSERT INTO usage_months VALUES (?, ?, 'key', 1, 1, 1, 1, 1)`,
        args: [id, month],
      });
    }
    h.clock.advance(graceMs);
    await h.database.client.execute({
      sql: "UPDATE sandboxes SET state = 'ended', ended_at_ms = 1, end_reason = 'killed' WHERE id = ?",
      args: [sandboxId],
    });
    await h.database.client.execute("UPDATE reservations SET released_at_ms = 1");
    await h.database.client.execute("UPDATE holds SET settled_at_ms = 1");
    await runSweep(h.deps);
    expect((await admin("GET", `/tenants/${id}`)).status).toBe(404);
    expect((await admin("POST", `/tenants/${id}/resume`)).status).toBe(404);
    expect(await leftOf(id)).toEqual({
      audit: expect.any(Number),
      statements: 1,
      tenants: 1,
      usage_months: 1,
    });
    // The ledger of a month goes when its statement is closed.
    await h.database.client.execute({ sql: statement.replace("2026-01", "2026-02"), args: [id] });
    await runSweep(h.deps);
    expect(await leftOf(id)).toEqual({ audit: expect.any(Number), statements: 2, tenants: 1 });
    expect(await rowsOf("SELECT 1 FROM tenants WHERE removed_at_ms IS NOT NULL")).toHaveLength(1);
    expect((await open()).name).toBe("acme");
    expect(await statusOf(h.key)).toBe(200);
  });

  /** How many rows each table still has of a tenant, whatever tables there are. */
  async function leftOf(id: string): Promise<Record<string, number>> {
    const left: Record<string, number> = {};
    for (const { name } of await rowsOf("SELECT name FROM sqlite_schema WHERE type = 'table'")) {
      const columns = (await rowsOf(`PRAGMA table_info(${name})`)).map((column) => column.name);
      const column = name === "tenants" ? "id" : columns.find((each) => each === "tenant_id");
      if (column === undefined) continue;
      const [row] = await rowsOf(`SELECT count(*) AS n FROM ${name} WHERE ${column} = ?`, id);
      if (row?.n !== 0) left[String(name)] = Number(row?.n);
    }
    return left;
  }

  test("keeps what may still be reported or live", async () => {
    const { id, apiKey } = await open();
    await h.create({}, apiKey);
    await admin("DELETE", `/tenants/${id}`);
    h.clock.advance(graceMs);
    expect(await removeTenants(h.deps)).toBe(0);
    expect(await leftOf(id)).toMatchObject({ sandboxes: 1, reservations: 1 });
  });
});

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

  test("say all limits and prices in full, or are refused", async () => {
    const { burst: _burst, ...limits } = terms.limits;
    const refused = await admin("PUT", "/plans/team", { ...terms, limits });
    expect(await problemOf(refused)).toMatchObject({ status: 400, issues: [{ path: "limits.burst" }] });
  });
});

test("tenants are listed in pages, and by state and plan", async () => {
  const ids: string[] = [];
  for (const name of ["a", "b", "c"]) ids.push((await open({ name })).id);
  await admin("POST", `/tenants/${ids[0]}/suspend`);
  await admin("PATCH", `/tenants/${ids[1]}`, { plan: "standard" });
  const page = async (query: string) =>
    TenantPage.parse(await (await admin("GET", `/tenants?${query}`)).json());
  const first = await page("limit=2");
  const rest = await page(`limit=2&cursor=${first.nextCursor}`);
  expect([...first.items, ...rest.items].map(({ name }) => name).sort()).toEqual(["a", "b", "c", "first"]);
  expect((await page("state=suspended")).items.map(({ id }) => id)).toEqual([ids[0]]);
  expect((await page("state=active&plan=free")).items.map(({ id }) => id)).toEqual([ids[2]]);
  expect((await admin("GET", "/tenants?cursor=abc")).status).toBe(400);
});

test("no key and no admin key is in the audit, in the log, or in any row", async () => {
  const { id, apiKey } = await open();
  const made = await admin("POST", `/tenants/${id}/keys`, { name: "second", scopes: ["exec"] });
  const { key } = (await made.json()) as { key: string };
  await statusOf(apiKey);
  await h.settled();
  const dump: unknown[] = [h.events];
  for (const { name } of await rowsOf("SELECT name FROM sqlite_schema WHERE type = 'table'")) {
    dump.push(await rowsOf(`SELECT * FROM ${name}`));
  }
  const everything = JSON.stringify(dump);
  for (const secret of [apiKey.slice(10), key.slice(10), h.adminKey])
    expect(everything).not.toContain(secret);
  expect(everything).toContain(apiKey.slice(0, 10));
});
