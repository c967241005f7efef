import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { Pool } from "#host/pool/pool";
import type { Member, MemberSpec } from "#host/runtime/runtime";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { baseTemplate } from "../../support/host-harness.ts";

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

const memberLimits = { cpu: 1, memoryMiB: 256, pids: 256 };
const pools: Pool[] = [];
const runtimes: HeldRuntime[] = [];

function setUp(settings: { min?: number; target: number; max: number }) {
  const runtime = new HeldRuntime();
  const leased: Member[] = [];
  const pool = new Pool(
    {
      runtime,
      settings: { min: 0, memberLimits, ...settings },
      allocated: () => leased.length,
      roomByMemory: () => 1_000,
      log: pino({ level: "silent" }),
    },
    [baseTemplate],
  );
  pools.push(pool);
  runtimes.push(runtime);
  const take = async () => leased.push((await pool.take("base", 20_000)).member);
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
