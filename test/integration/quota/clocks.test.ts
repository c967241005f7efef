import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limits } from "#contract/limits";
import { moneyOf } from "#test/support/books-of-money";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";

let h: Harness;
beforeEach(async () => {
  h = await harness();
});
afterEach(() => h.close());

const post = (path: string, json: unknown = {}) => h.send("POST", path, { key: h.key, json });
const patch = (id: string, json: unknown) => h.send("PATCH", `/v1/sandboxes/${id}`, { key: h.key, json });

/** The next batch that holds something takes so long. */
function slowDownAdmission(ms: number): void {
  const { client } = h.database;
  const batch = client.batch;
  client.batch = async (...args) => {
    const results = await batch(...args);
    if (JSON.stringify(args[0]).includes("INSERT INTO holds")) {
      client.batch = batch;
      h.clock.advance(ms);
    }
    return results;
  };
}

test("a run that was admitted in a month's last moment is made in the next month, with the prices it was admitted at", async () => {
  h.clock.advance(Date.UTC(2030, 1, 1) - 100 - h.clock.now());
  await h.heartbeat();
  const create = vi.spyOn(h.provider, "create");
  slowDownAdmission(200);
  const answer = await post("/v1/runs?wait=10", { command: "echo", budget: { capMicros: 10_000 } });
  expect(await answer.json()).toMatchObject({ state: "succeeded", exitCode: 0 });
  expect(create.mock.calls[0]?.[1].budget).toMatchObject({ capMicros: 10_000, prices: expect.anything() });
  const { rows } = await h.database.client.execute("SELECT month FROM price_sheets");
  expect(rows.map(({ month }) => month)).toEqual(["2030-01"]);
});

test("what a create waits for the database is taken from the time of its host", async () => {
  const create = vi.spyOn(h.provider, "create");
  slowDownAdmission(1_000);
  expect((await post("/v1/sandboxes")).status).toBe(201);
  const call = expect.objectContaining({ deadlineMs: limits.createDeadlineMs - 1_000 });
  expect(create.mock.lastCall).toEqual([expect.anything(), expect.anything(), call]);
});

test("no host is asked for a create whose time is over, and all that it took is given back", async () => {
  slowDownAdmission(limits.createDeadlineMs);
  await expectProblem(await post("/v1/sandboxes"), 503, "no_capacity");
  expect(h.provider.calls).toEqual([]);
  expect(await moneyOf(h, h.tenantId)).toEqual({ holds: 0, slots: 0, creates: 0 });
});

test("a sandbox whose slot was given back is not revived, whatever our clock says", async () => {
  const { id, lifetimeSeconds } = await h.create();
  await h.database.client.execute("UPDATE reservations SET released_at_ms = 1");
  const problem = await expectProblem(await patch(id, { lifetimeSeconds: 3600 }), 410, "sandbox_ended");
  expect(problem.facts).toEqual({ endReason: "lifetime" });
  expect((await h.read(id)).lifetimeSeconds).toBe(lifetimeSeconds);
});

test("a sandbox whose hold was settled gets no longer life", async () => {
  const { id, lifetimeSeconds } = await h.create();
  await h.database.client.execute("UPDATE holds SET settled_at_ms = 1");
  expect((await patch(id, { lifetimeSeconds: 3600 })).status).toBe(409);
  expect((await h.read(id)).lifetimeSeconds).toBe(lifetimeSeconds);
});
