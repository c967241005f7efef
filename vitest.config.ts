import { defineConfig } from "vitest/config";

const seconds = 1_000;

/** Suites that share one machine run after each other, so that none is measured against another's load. */
function onTheMachine(name: string, order: number, testTimeoutSeconds: number) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: testTimeoutSeconds * seconds,
      hookTimeout: 180 * seconds,
      fileParallelism: false,
      sequence: { groupOrder: order },
    },
  };
}

/** Suites by what they need: `unit` and `integration` only node_modules; the others a Docker engine and root. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts", "test/tidy.test.ts"] } },
      { test: { name: "integration", include: ["test/integration/**/*.test.ts"] } },
      onTheMachine("conformance", 1, 60),
      onTheMachine("e2e", 2, 120),
      onTheMachine("hostile", 3, 60),
    ],
  },
});
