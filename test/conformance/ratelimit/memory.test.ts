import { describe } from "vitest";
import { fakeClock } from "#test/fakes/clock";
import { memoryLimiter } from "#worker/ratelimit/memory";
import { limiterSuite } from "./suite.ts";

const background = () => undefined;

describe("buckets in memory", () => {
  const clock = fakeClock();
  const limiter = memoryLimiter({ now: clock.now, processes: 1 });
  limiterSuite(() => ({
    draw: (draws) => Promise.all(draws.map(async (draw) => limiter.take({ background }, draw))),
    wait: async (ms) => clock.advance(ms),
  }));
});
