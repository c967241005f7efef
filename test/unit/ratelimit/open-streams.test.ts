import { expect, test } from "vitest";
import { newTenantId } from "#contract/ids";
import { OpenStreams } from "#worker/ratelimit/open-streams";

test("a place that is given back twice is one place", () => {
  const streams = new OpenStreams(1);
  const tenantId = newTenantId();
  const release = streams.open(tenantId, 2);
  streams.open(tenantId, 2);
  release();
  release();
  expect(streams.count(tenantId)).toBe(1);
  streams.open(tenantId, 2);
  expect(() => streams.open(tenantId, 2)).toThrow(/as many streams open/);
});

test("each of several processes lets its part through, and one at least", () => {
  const tenantId = newTenantId();
  for (const [limit, processes, share] of [
    [10, 4, 3],
    [1, 4, 1],
    [0, 4, 0],
  ] as const) {
    const streams = new OpenStreams(processes);
    for (let i = 0; i < share; i++) streams.open(tenantId, limit);
    expect(() => streams.open(tenantId, limit)).toThrow(/as many streams open/);
  }
});
