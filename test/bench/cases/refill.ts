import { setTimeout as sleep } from "node:timers/promises";
import { timed } from "../figures/measure.ts";
import type { Outcome } from "../figures/row.ts";
import { poolIsFull, poolOf, type Stage } from "../stage.ts";

const pauseMs = 250;

/** How fast the pool makes up for what was taken, while nothing else happens. */
export async function refillCase(stage: Stage): Promise<Outcome> {
  const { fleet, pool, bench, stack } = stage;
  let made = 0;
  let tookMs = 0;
  for (let round = 0; round < bench.scale.refills; round++) {
    await poolIsFull(stage);
    for (let i = 0; i < pool.target; i++) await fleet.create();
    made += pool.target - (await poolOf(stack)).available;
    tookMs += (await timed(() => poolIsFull(stage)))[1];
    for (const id of fleet.ids) await fleet.inspect(id);
    await fleet.deleteAll();
  }
  const figure = { value: (made / tookMs) * 1000, unit: "a second" };
  return { rows: [{ name: `refill of ${pool.target}`, figure }] };
}

/** Does `work` while sandboxes are taken and ended, so that the pool never rests. */
export async function whileRefilling<T>(
  { fleet }: Stage,
  work: () => Promise<T>,
): Promise<{ result: T; made: number }> {
  let isOver = false;
  let made = 0;
  const churn = async () => {
    while (!isOver) {
      await fleet.delete((await fleet.create()).id);
      made++;
      await sleep(pauseMs);
    }
  };
  const churning = churn();
  try {
    const result = await work();
    return { result, made };
  } finally {
    isOver = true;
    await churning;
  }
}
