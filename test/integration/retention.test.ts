import { afterEach, beforeEach, expect, test } from "vitest";
import { type Harness, harness } from "#test/support/harness";
import { prune } from "#worker/db/prune-store";
import { runSweep } from "#worker/jobs";

const dayMs = 86_400_000;
let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 10 });
});
afterEach(() => h.close());

const counts = async () => {
  const tables = ["sandboxes", "reservations", "runs"];
  const selects = tables.map((table) => `(SELECT count(*) FROM ${table}) ${table}`);
  return { ...(await h.database.client.execute(`SELECT ${selects}`)).rows[0] };
};
async function ended(): Promise<void> {
  const { id } = await h.create();
  await h.send("DELETE", `/v1/sandboxes/${id}`, { key: h.key });
}

test("what ended is forgotten after a week and not before, what lives is kept however old", async () => {
  const { id } = await h.create({ lifetimeSeconds: 86_400 });
  await ended();
  await h.send("POST", "/v1/runs?wait=10", { key: h.key, json: { command: "echo" } });
  await h.settled();
  // The heartbeat below is a millisecond of its own.
  h.clock.advance(7 * dayMs - 1);
  // The host goes on to report it, so it lives.
  await h.database.client.execute({
    sql: "UPDATE sandboxes SET expires_at_ms = ? WHERE id = ?",
    args: [h.clock.now() + dayMs, id],
  });
  await h.database.client.execute({
    sql: "UPDATE reservations SET expires_at_ms = ? WHERE sandbox_id = ?",
    args: [h.clock.now() + dayMs, id],
  });
  await h.heartbeat();
  await runSweep(h.deps);
  expect(await counts()).toEqual({ sandboxes: 3, reservations: 3, runs: 1 });
  h.clock.advance(1);
  await runSweep(h.deps);
  expect(await counts()).toEqual({ sandboxes: 1, reservations: 1, runs: 0 });
  expect((await h.read(id)).state).toBe("running");
});

test("a sweep forgets a bounded number, and the next ones the rest", async () => {
  for (let i = 0; i < 5; i++) await ended();
  const before = { endedAtMs: h.clock.now() + 1, rowsMax: 2 };
  expect(await prune(h.deps.db, before)).toEqual({ sandboxes: 2, runs: 0, reservations: 2 });
  expect(await prune(h.deps.db, before)).toEqual({ sandboxes: 2, runs: 0, reservations: 2 });
  expect(await prune(h.deps.db, before)).toEqual({ sandboxes: 1, runs: 0, reservations: 1 });
});

test("a sandbox whose slot is held is kept", async () => {
  await ended();
  await h.database.client.execute("UPDATE reservations SET released_at_ms = NULL");
  expect(await prune(h.deps.db, { endedAtMs: h.clock.now() + 1, rowsMax: 2 })).toMatchObject({
    sandboxes: 0,
  });
});
