import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { Pool } from "#host/pool/pool";
import type { PoolSettings } from "#host/pool/settings";
import type { Member, MemberSpec } from "#host/runtime/runtime";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { baseTemplate } from "../../support/host-harness.ts";
import { stillPool } from "../../support/pool-settings.ts";

/** A machine whose starts end when the test says so. */
class HeldRuntime extends FakeRuntime {
  readonly starts: { succeed(): Promise<void>; fail(): void }[] = [];

  override start(spec: MemberSpec): Promise<Member> {
    return new Promise((resolve, reject) => {
      this.starts.push({
        succeed: async () => resolve(await super.start(spec)),
        fail: () => reject(new Error("the engine is broken")),
      });
    });
  }
}

const pools: Pool[] = [];
const runtimes: HeldRuntime[] = [];

function setUp(settings: Partial<PoolSettings>, templates = [baseTemplate]) {
  const runtime = new HeldRuntime();
  const leased: Member[] = [];
  const pool = new Pool(
    {
      runtime,
      settings: { ...stillPool, ...settings },
      allocated: () => leased.length,
      isLeased: (memberId) => leased.some((member) => member.memberId === memberId),
      roomByMemory: () => 1_000,
      isBusy: () => false,
      now: () => 0,
      log: pino({ level: "silent" }),
    },
    templates,
  );
  pools.push(pool);
  runtimes.push(runtime);
  const take = async (tenantId = "a tenant") =>
    leased.push((await pool.take("base", tenantId, 20_000)).member);
  return { runtime, pool, leased, take };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));
afterEach(async () => {
  vi.useRealTimers();
  for (const { starts } of runtimes.splice(0)) for (const start of starts) start.fail();
  await Promise.all(pools.splice(0).map((pool) => pool.drain()));
});

test("the member that a create waited for counts before another one is started", async () => {
  const { runtime, take, leased } = setUp({ target: 1, max: 1 });
  const taken = take();
  await runtime.starts[0]?.succeed();
  await taken;
  await turn();
  expect(leased).toHaveLength(1);
  expect(runtime.starts).toHaveLength(1);
});

test("failed starts that are tried again never pass what there is room for", async () => {
  vi.useFakeTimers();
  const { runtime, pool, take } = setUp({ min: 4, target: 4, max: 4 });
  pool.refill();
  expect(runtime.starts).toHaveLength(4);
  for (const start of runtime.starts) start.fail();
  for (let second = 0, answered = 4; second < 40; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    for (; answered < runtime.starts.length; answered++) await runtime.starts[answered]?.succeed();
  }
  expect(runtime.containers.size).toBe(4);
  for (let count = 0; count < 4; count++) await take();
  await expect(take()).rejects.toMatchObject({ code: "no_capacity" });
});

test("a template whose starts failed while nobody wanted one is tried again by the next create", async () => {
  vi.useFakeTimers();
  const { runtime, take } = setUp({ target: 0, max: 4 });
  const refused = expect(take()).rejects.toMatchObject({ code: "no_capacity" });
  runtime.starts[0]?.fail();
  await refused;
  await expect(take()).rejects.toMatchObject({ code: "no_capacity" });
  await vi.advanceTimersByTimeAsync(40_000);
  const taken = take();
  await runtime.starts.at(-1)?.succeed();
  await taken;
});

test("creates beyond the room are refused at once, also while starts are under way", async () => {
  const { runtime, take, leased } = setUp({ target: 0, max: 6 });
  const takes = Array.from({ length: 9 }, () => take().catch((cause: unknown) => cause));
  const refused = await Promise.all(takes.slice(6));
  for (const cause of refused) expect(cause).toMatchObject({ code: "no_capacity" });
  expect(runtime.starts).toHaveLength(4);
  for (let done = 0; done < 6; done++) {
    await expect.poll(() => runtime.starts.length).toBeGreaterThan(done);
    await runtime.starts[done]?.succeed();
  }
  await Promise.all(takes);
  expect(leased).toHaveLength(6);
}, 2_000);

test("a burst beyond the pool waits in line, and tenants take turns", async () => {
  const { runtime, pool } = setUp({ target: 0, max: 50 });
  const served: string[] = [];
  const take = (tenant: string) => pool.take("base", tenant, 20_000).then(() => void served.push(tenant));
  const takes = [..."aaaaabbc"].map(take);
  expect(runtime.starts).toHaveLength(4);
  for (let done = 0; done < 8; done++) {
    await expect.poll(() => runtime.starts.length).toBeGreaterThan(done);
    await runtime.starts[done]?.succeed();
  }
  await Promise.all(takes);
  expect(served.join("")).toBe("abcabaaa");
});

test("one tenant's share of the line is bounded, and its refusal says when to come back", async () => {
  const { take, pool } = setUp({ target: 0, max: 50, waitingMax: 10, waitingPerTenantMax: 3 });
  const waiting = [1, 2, 3].map(() => take("greedy").catch(() => undefined));
  const refusal = await take("greedy").catch((cause: unknown) => cause);
  expect(refusal).toMatchObject({ code: "no_capacity", facts: { retryAfterSeconds: expect.any(Number) } });
  expect(pool.state()[0]).toMatchObject({ waiting: 3, starting: 3 });
  waiting.push(take("modest").catch(() => undefined));
  expect(pool.state()[0]).toMatchObject({ waiting: 4 });
});

test("who waits past the deadline is refused, and the member that comes late stays warm", async () => {
  const { runtime, pool } = setUp({ target: 0, max: 50 });
  await expect(pool.take("base", "a", 10)).rejects.toMatchObject({
    code: "no_capacity",
    facts: { retryAfterSeconds: expect.any(Number) },
  });
  await runtime.starts[0]?.succeed();
  await expect.poll(() => pool.state()[0]).toMatchObject({ available: 1, waiting: 0 });
});

test("members that are handed out and not leased yet count: a burst never passes the maximum", async () => {
  const { runtime, pool, leased } = setUp({ min: 2, target: 2, max: 3 });
  pool.refill();
  await Promise.all(runtime.starts.map((start) => start.succeed()));
  await expect.poll(() => pool.state()[0]?.available).toBe(2);
  // Taken in one turn of the event loop, in which nothing is leased.
  const takes = Array.from({ length: 5 }, () => pool.take("base", "a", 20_000));
  const refused = await Promise.allSettled(takes.slice(3));
  expect(refused.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(runtime.starts).toHaveLength(3);
  await runtime.starts[2]?.succeed();
  for (const { member } of await Promise.all(takes.slice(0, 3))) leased.push(member);
});

test("each template has a shelf of its own; starts at once and the cost ceiling hold for all together", async () => {
  const other = { name: "other", digest: "digest-2", image: "image-2" };
  const { runtime, pool } = setUp({ min: 4, target: 4, max: 50, startsMax: 4, idleMax: 6 }, [
    baseTemplate,
    other,
  ]);
  pool.refill();
  expect(runtime.starts).toHaveLength(4);
  for (let done = 0; done < 6; done++) {
    await expect.poll(() => runtime.starts.length).toBeGreaterThan(done);
    await runtime.starts[done]?.succeed();
  }
  await expect.poll(() => pool.state().map(({ available }) => available)).toEqual([4, 2]);
  expect(pool.state().map(({ target }) => target)).toEqual([4, 2]);
  const { member, isWarm } = await pool.take("other", "a tenant", 1_000);
  expect([member.template, member.templateDigest, isWarm]).toEqual(["other", "digest-2", true]);
  await expect(pool.take("unknown", "a tenant", 1_000)).rejects.toMatchObject({ code: "no_capacity" });
});

test("a template that cannot be started does not keep the others from being served", async () => {
  vi.useFakeTimers();
  const broken = { name: "broken", digest: "digest-2", image: "missing" };
  const { runtime, pool } = setUp({ min: 1, target: 1, max: 4 }, [baseTemplate, broken]);
  const warmed = pool.warmUp(60_000);
  await runtime.starts[0]?.succeed();
  for (let tries = 0; tries < 3; tries++) {
    runtime.starts.at(-1)?.fail();
    await vi.advanceTimersByTimeAsync(5_000);
  }
  expect(await warmed).toBe(false);
  await expect(pool.take("base", "a tenant", 1_000)).resolves.toMatchObject({ isWarm: true });
});
