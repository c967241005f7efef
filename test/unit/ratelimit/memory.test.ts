import { expect, test } from "vitest";
import { newKeyId, newTenantId } from "#contract/ids";
import { fakeClock } from "#test/fakes/clock";
import type { Draw } from "#worker/ratelimit/limiter";
import { memoryLimiter } from "#worker/ratelimit/memory";

test("several processes together let through what one would, and each one request at least", async () => {
  const clock = fakeClock();
  const limiters = Array.from({ length: 4 }, () => memoryLimiter({ now: clock.now, processes: 4 }));
  const rate = { capacity: 20, perSecond: 8 };
  const key = { id: newKeyId(), rate: { capacity: 2, perSecond: 1 } };
  const base: Draw = { tenantId: newTenantId(), rateClass: "control", rate, key: null, cost: 1, paid: 0 };
  const passed = async (draw: Draw) => {
    let count = 0;
    for (const limiter of limiters)
      for (let i = 0; i < 30; i++)
        if ((await limiter.take({ background: () => undefined }, draw)).isAllowed) count++;
    return count;
  };
  expect(await passed(base)).toBe(20);
  clock.advance(1_000);
  expect(await passed(base)).toBe(8);
  expect(await passed({ ...base, tenantId: newTenantId(), key })).toBe(4);
});
