import { expect, test } from "vitest";
import { newKeyId, newTenantId } from "#contract/ids";
import { type Rate, rateClasses } from "#contract/rate";
import type { Draw, Verdict } from "#worker/ratelimit/limiter";

export type Kind = {
  /** Draws all of these at once. */
  draw(draws: Draw[]): Promise<Verdict[]>;
  /** Lets this much time pass. */
  wait(ms: number): Promise<void>;
};

/** A token in 100 s: what a test takes for itself changes nothing. */
const slow = (capacity: number): Rate => ({ capacity, perSecond: 0.01 });

/** What every place for buckets promises, with the time that is its own. */
export function limiterSuite(of: () => Kind): void {
  type Asked = Partial<Draw> & Pick<Draw, "tenantId" | "rate">;
  const times = (count: number, asked: Asked) => {
    const draw: Draw = { rateClass: "control", key: null, cost: 1, paid: 0, ...asked };
    return of().draw(Array.from({ length: count }, () => draw));
  };
  const take = async (asked: Asked): Promise<Verdict> => {
    const [verdict] = await times(1, asked);
    if (!verdict) throw new Error("There was no answer.");
    return verdict;
  };
  const passed = (verdicts: Verdict[]) => verdicts.filter(({ isAllowed }) => isAllowed).length;

  test.each(rateClasses)("%s: of 200 at once exactly as many pass as there are tokens", async (rateClass) => {
    const draw = { tenantId: newTenantId(), rate: slow(10), rateClass };
    const verdicts = await times(200, draw);
    expect(passed(verdicts)).toBe(10);
    for (const { isAllowed, policy, rate, retryAfterMs } of verdicts) {
      expect([policy, rate]).toEqual([rateClass, draw.rate]);
      if (isAllowed) expect(retryAfterMs).toBe(0);
      else expect(retryAfterMs).toBeGreaterThan(90_000);
    }
  });

  test("who waits as long as it says passes", async () => {
    const draw = { tenantId: newTenantId(), rate: { capacity: 3, perSecond: 10 }, cost: 3 };
    expect((await take(draw)).isAllowed).toBe(true);
    const refused = await take(draw);
    expect(refused.isAllowed).toBe(false);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(300);
    await of().wait(refused.retryAfterMs);
    expect((await take(draw)).isAllowed).toBe(true);
  });

  test("tenants share nothing, and classes of one tenant neither", async () => {
    const draw = { tenantId: newTenantId(), rate: slow(2) };
    expect(passed(await times(5, draw))).toBe(2);
    expect((await take({ ...draw, rateClass: "create" })).isAllowed).toBe(true);
    expect((await take({ ...draw, rateClass: "data" })).isAllowed).toBe(true);
    expect((await take({ ...draw, tenantId: newTenantId() })).isAllowed).toBe(true);
  });

  test.each(rateClasses)(
    "%s: a key's own rate holds inside its tenant's, and what it refuses costs the tenant nothing",
    async (rateClass) => {
      const tenantId = newTenantId();
      const key = { id: newKeyId(), rate: slow(3) };
      const verdicts = await times(20, { tenantId, rate: slow(8), rateClass, key });
      expect(passed(verdicts)).toBe(3);
      expect(verdicts.findLast(({ isAllowed }) => !isAllowed)).toMatchObject({
        policy: "key",
        rate: key.rate,
      });
      expect(passed(await times(20, { tenantId, rate: slow(8), rateClass }))).toBe(5);
      const other = { id: newKeyId(), rate: slow(3) };
      expect(await take({ tenantId, rate: slow(8), rateClass, key: other })).toMatchObject({
        policy: rateClass,
      });
    },
  );

  test("a key's rate is one for all classes", async () => {
    const draw = { tenantId: newTenantId(), rate: slow(8), key: { id: newKeyId(), rate: slow(3) } };
    const verdicts = [];
    for (const rateClass of [...rateClasses, ...rateClasses])
      verdicts.push(await take({ ...draw, rateClass }));
    expect(passed(verdicts)).toBe(3);
  });

  test("a cost above the whole bucket passes when it is full, and takes all of it", async () => {
    const draw = { tenantId: newTenantId(), rate: slow(5) };
    expect(await take({ ...draw, cost: 100 })).toMatchObject({ isAllowed: true, remaining: 0 });
    expect((await take(draw)).isAllowed).toBe(false);
  });

  test("what was paid before is not paid again", async () => {
    const draw = { tenantId: newTenantId(), rate: slow(5) };
    await take(draw);
    expect(await take({ ...draw, cost: 3, paid: 1 })).toMatchObject({ isAllowed: true, remaining: 2 });
    await take(draw);
    expect(await take({ ...draw, cost: 100, paid: 1 })).toMatchObject({ isAllowed: false, remaining: 1 });
  });

  test("a limit that was lowered holds from the next request on", async () => {
    const draw = { tenantId: newTenantId(), rate: slow(1_000) };
    await take(draw);
    expect(passed(await times(20, { ...draw, rate: slow(4) }))).toBe(4);
  });
}
