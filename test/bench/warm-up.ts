import { poolIsFull, type Stage } from "./stage.ts";

/**
 * Sends every path so often that V8 has compiled it: in the first few hundred requests a command costs two and a half
 * times as much as later, and nobody's service stays in them.
 */
export async function warmUp(stage: Stage): Promise<void> {
  const { api, fleet, pool, bench } = stage;
  const { id } = await fleet.create();
  const request = api.execRequest(id, ["echo", "warm"]);
  for (let sent = 0; sent < bench.scale.warmExecs; sent++) await api.send(request);
  await fleet.delete(id);
  // What the pool does not have is made: that would be another path.
  const atOnce = Math.min(8, pool.target - pool.min);
  for (let made = 0; atOnce > 0 && made < bench.scale.warmCreates; made += atOnce) {
    await poolIsFull(stage);
    for (let i = 0; i < atOnce; i++) await fleet.create();
    await fleet.deleteAll();
  }
  if (pool.target > 0) await poolIsFull(stage);
}
