import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe } from "vitest";
import { type LimiterObjects, limiterObjects } from "#test/support/limiter-objects";
import { limiterSuite } from "./suite.ts";

describe("buckets in Durable Objects, in workerd", () => {
  let objects: LimiterObjects;
  beforeAll(async () => {
    objects = await limiterObjects();
  });
  afterAll(() => objects?.stop());
  limiterSuite(() => ({
    draw: async (draws) => (await objects.isolates[0]?.draw({ draws, atOnce: true }))?.verdicts ?? [],
    // The isolate has a clock of its own, of which a grain or two may be missing.
    wait: async (ms) => void (await sleep(ms + 10)),
  }));
});
