import { expect, test } from "vitest";
import { nodeRecorder } from "#worker/node-recorder";

test("what was refused for being too many is counted by class, from zero on, and names nobody", async () => {
  const recorder = nodeRecorder();
  recorder.refused("data");
  recorder.refused("data");
  recorder.refused("streams");
  const lines = (await recorder.text())
    .split("\n")
    .filter((line) => line.startsWith("sandgate_rate_limited"));
  expect(lines).toEqual([
    'sandgate_rate_limited_total{class="control"} 0',
    'sandgate_rate_limited_total{class="data"} 2',
    'sandgate_rate_limited_total{class="create"} 0',
    'sandgate_rate_limited_total{class="port"} 0',
    'sandgate_rate_limited_total{class="streams"} 1',
  ]);
});
