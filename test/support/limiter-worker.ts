import { waitUntil } from "cloudflare:workers";
import { edgeLimiter, type LimiterObject } from "#worker/ratelimit/edge";
import type { Draw, RateLimiter, Verdict } from "#worker/ratelimit/limiter";

export { Limiter } from "#worker/limiter";

type Env = { LIMITER: { getByName(name: string): LimiterObject } };

/** As it is in an isolate of the control plane: made once, for all of its requests. */
let limiter: RateLimiter | undefined;
let hops = 0;
const background = (_name: string, work: Promise<unknown>) => waitUntil(work);

function limiterOf(env: Env): RateLimiter {
  limiter ??= edgeLimiter({
    objectOf: (tenantId) => {
      hops++;
      return env.LIMITER.getByName(tenantId);
    },
    now: Date.now,
  });
  return limiter;
}

async function drawAll(env: Env, draws: Draw[], atOnce: boolean): Promise<Verdict[]> {
  const take = async (draw: Draw) => limiterOf(env).take({ background }, draw);
  if (atOnce) return Promise.all(draws.map(take));
  const verdicts: Verdict[] = [];
  for (const draw of draws) verdicts.push(await take(draw));
  return verdicts;
}

/** Draws what it is told to, as requests of one isolate would. */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { draws, atOnce } = (await request.json()) as { draws: Draw[]; atOnce: boolean };
    const before = hops;
    const verdicts = await drawAll(env, draws, atOnce);
    return Response.json({ verdicts, hops: hops - before });
  },
};
