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

/**
 * Suites by what they need. `unit` and `integration` take only node_modules and seconds; `processes`
 * starts programs and waits in real time; `workers` runs the two entries of the control plane in their runtimes; the others need a Docker engine and root.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts", "test/tidy.test.ts"] } },
      { test: { name: "integration", include: ["test/integration/**/*.test.ts"] } },
      onTheMachine("processes", 1, 60),
      onTheMachine("workers", 2, 60),
      onTheMachine("conformance", 3, 60),
      onTheMachine("e2e", 4, 120),
      onTheMachine("hostile", 5, 60),
    ],
  },
});
