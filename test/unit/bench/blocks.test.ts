import { expect, test } from "vitest";
import { blockPlan, runBlocks } from "#test/bench/figures/blocks";

const plan = blockPlan(3, [
  { name: "ours", times: 4, settle: 2 },
  { name: "docker", times: 1 },
]);

test("sides take turns in blocks, and whoever follows Docker settles before it is measured", () => {
  const letters = plan.map(({ side, isMeasured }) => (isMeasured ? side[0]?.toUpperCase() : side[0]));
  expect(letters.join("")).toBe("ooOOOOD".repeat(3));
});

test("every call of a plan is made in its order, and only the measured ones count", async () => {
  const calls: string[] = [];
  const took = await runBlocks(plan, {
    ours: async () => void calls.push("o"),
    docker: async () => void calls.push("d"),
  });
  expect(calls.join("")).toBe("ooooood".repeat(3));
  expect(took.ours).toHaveLength(12);
  expect(took.docker).toHaveLength(3);
});

test("a call that fails ends the run: a figure made of errors would be a fast one", async () => {
  const work = {
    ours: async () => undefined,
    docker: () => Promise.reject(new Error("no engine")),
  };
  await expect(runBlocks(plan, work)).rejects.toThrow("no engine");
});
