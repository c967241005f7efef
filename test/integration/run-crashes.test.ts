import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newRunId } from "#contract/ids";
import { limits } from "#contract/limits";
import { Run } from "#contract/run";
import { admissionOf, ctxOf } from "#test/support/account";
import { type Harness, harness } from "#test/support/harness";
import { bySystem } from "#worker/audit/store";
import { AppError } from "#worker/errors";
import { runSweep } from "#worker/jobs";
import { endOfCancel } from "#worker/runs/outcome";
import { endRun, findRun, insertRun, leaseRider, markStarted, type NewRun } from "#worker/runs/store";
import { createSandbox } from "#worker/sandboxes/create";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 2 });
});
afterEach(() => h.close());

const ctx = () => ctxOf(h);
const by = bySystem;
const get = async (id: string) =>
  Run.parse(await (await h.send("GET", `/v1/runs/${id}`, { key: h.key })).json());
const deadlineMs = 100_000;

async function queued(): Promise<NewRun> {
  const createdAtMs = h.clock.now();
  const run: NewRun = {
    id: newRunId(),
    template: "base",
    cpu: 1,
    memoryMiB: 256,
    timeoutMs: 60_000,
    metadata: {},
    createdAtMs,
    deadlineAtMs: createdAtMs + deadlineMs,
  };
  expect(await insertRun(h.deps.db, h.tenantId, run, { admission: admissionOf(h, run), by })).toBe(true);
  return run;
}
/** A run whose process died after its sandbox was there. */
async function leased(generation = 1) {
  const run = await queued();
  const lease = { id: run.id, generation };
  const rider = leaseRider(h.deps.db, h.tenantId, { ...lease, nowMs: h.clock.now });
  const sandbox = await createSandbox(
    h.deps,
    ctx(),
    { lifetimeSeconds: 300, idleSeconds: 300 },
    { rider, from: run.id },
  );
  await h.settled();
  return { run, lease, sandbox };
}
const start = (lease: { id: NewRun["id"]; generation: number }) =>
  markStarted(h.deps.db, h.tenantId, { ...lease, readyAtMs: h.clock.now(), nowMs: h.clock.now() });

/** Past its deadline the run is lost, its host is told to end the sandbox, and then nothing is held any more. */
async function expectLost(id: string, sandboxId?: string) {
  await runSweep(h.deps);
  expect((await get(id)).state).not.toBe("lost");
  h.clock.advance(deadlineMs + 1);
  await runSweep(h.deps);
  const lost = await get(id);
  expect(lost).toMatchObject({ state: "lost", endReason: "crashed", error: { code: "internal" } });
  await runSweep(h.deps);
  expect(await get(id)).toEqual(lost);
  if (!sandboxId) return;
  expect((await h.read(sandboxId)).state).toBe("ending");
  const { kill } = await h.heartbeat();
  expect(kill.map((each): string => each.sandboxId)).toEqual([sandboxId]);
  for (const held of [...h.provider.held.keys()]) h.provider.held.delete(held);
  await h.heartbeat();
  expect([(await h.read(sandboxId)).state, await h.slotsUsed()]).toEqual(["ended", 0]);
}

describe("the process that carries a run out dies", () => {
  test("before it has a sandbox", async () => {
    const run = await queued();
    await expectLost(run.id);
    expect(h.provider.calls).toEqual([]);
  });

  test("before the command is sent", async () => {
    const { run, sandbox } = await leased();
    await expectLost(run.id, sandbox.id);
  });

  test("while the command runs: it is not run again", async () => {
    const { run, lease, sandbox } = await leased();
    expect(await start(lease)).toBe(true);
    await expectLost(run.id, sandbox.id);
    expect(h.provider.calls).not.toContain("exec");
  });

  test("after the end is on record, before the sandbox has gone: its host is told", async () => {
    const { run, lease, sandbox } = await leased();
    await start(lease);
    const end = { state: "succeeded", endReason: "exited", exitCode: 0, stdout: "", stderr: "" } as const;
    expect(await endRun(h.deps.db, h.tenantId, { ...lease, end, by, nowMs: h.clock.now() })).toBe(true);
    expect((await h.read(sandbox.id)).state).toBe("ending");
    expect((await h.heartbeat()).kill).toMatchObject([{ sandboxId: sandbox.id }]);
    expect((await get(run.id)).state).toBe("succeeded");
  });
});

test("what takes longer than its deadline writes nothing once it was given up", async () => {
  const { run, lease } = await leased();
  await start(lease);
  h.clock.advance(deadlineMs + 1);
  await runSweep(h.deps);
  const end = { state: "succeeded", endReason: "exited", exitCode: 0 } as const;
  expect(await endRun(h.deps.db, h.tenantId, { ...lease, end, by, nowMs: h.clock.now() })).toBe(false);
  expect((await get(run.id)).state).toBe("lost");
});

test("an end that the database could not take at once is on record a moment later", async () => {
  h.database.beAwayFor(2, /UPDATE runs SET state = .*ended_at_ms/);
  const json = { command: "echo kept" };
  const done = await h.send("POST", "/v1/runs?wait=10", { key: h.key, json });
  expect(Run.parse(await done.json())).toMatchObject({ state: "succeeded", stdout: "kept\n" });
  await h.settled();
  expect([h.provider.held.size, await h.slotsUsed()]).toEqual([0, 0]);
});

test("two who would lease the same run: one gets it, and the other makes no sandbox", async () => {
  const run = await queued();
  const lease = () => {
    const rider = leaseRider(h.deps.db, h.tenantId, { id: run.id, generation: 1, nowMs: h.clock.now });
    return createSandbox(h.deps, ctx(), {}, { rider, from: run.id }).then(
      () => "leased",
      (error: { code: string }) => error.code,
    );
  };
  expect((await Promise.all([lease(), lease(), lease()])).sort()).toEqual([
    "leased",
    "run_ended",
    "run_ended",
  ]);
  expect([h.provider.held.size, await h.slotsUsed()]).toEqual([1, 1]);
});

test("only the lease that is current begins a run, and only once", async () => {
  const { lease } = await leased();
  expect(await start({ ...lease, generation: 2 })).toBe(false);
  expect(await Promise.all([start(lease), start(lease)])).toEqual([true, false]);
});

test("of a cancel and an end at once, one is on record", async () => {
  const { run, lease } = await leased();
  await start(lease);
  const nowMs = h.clock.now();
  const end = { state: "succeeded", endReason: "exited", exitCode: 0 } as const;
  const both = await Promise.all([
    endRun(h.deps.db, h.tenantId, { id: run.id, end: endOfCancel, by, nowMs }),
    endRun(h.deps.db, h.tenantId, { ...lease, end, by, nowMs }),
  ]);
  expect(both).toEqual([true, false]);
});

test("another tenant can end nothing, and its sandboxes are nobody else's to end", async () => {
  const { run, lease, sandbox } = await leased();
  const other = await h.tenant("other");
  expect(await endRun(h.deps.db, other.tenantId, { id: run.id, end: endOfCancel, by, nowMs: 1 })).toBe(false);
  expect(await start(lease)).toBe(true);
  expect((await h.read(sandbox.id)).state).toBe("running");
  expect(await findRun(h.deps.db, other.tenantId, run.id)).toBeUndefined();
});

test("a run follows its sandbox from a full host to the next", async () => {
  await h.close();
  h = await harness({ hosts: 3 });
  h.provider.failNext("create", new AppError("no_capacity", "full"));
  const json = { command: "echo moved" };
  const done = Run.parse(await (await h.send("POST", "/v1/runs?wait=10", { key: h.key, json })).json());
  expect(done).toMatchObject({ state: "succeeded", stdout: "moved\n" });
  expect(await h.read(done.sandboxId ?? "")).toMatchObject({ id: done.sandboxId });
  expect(await h.slotsUsed()).toBe(0);
});

test("a run's deadline covers each of its own", async () => {
  const json = { command: "echo" };
  const { id } = Run.parse(await (await h.send("POST", "/v1/runs?wait=10", { key: h.key, json })).json());
  const row = await findRun(h.deps.db, h.tenantId, id);
  const ownMs =
    limits.createDeadlineMs + limits.runFilesDeadlineMs + limits.runTimeoutMaxMs + limits.hostCallDeadlineMs;
  expect((row?.deadlineAtMs ?? 0) - (row?.createdAtMs ?? 0)).toBeGreaterThan(ownMs);
});
