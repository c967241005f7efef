import { defineConfig } from "vitest/config";

const seconds = 1_000;

/**
 * Suites that need nothing but modules: a file takes over what the one before it has loaded, which is more
 * than half of their time. So a test leaves no timer, module or global changed, and replaces no module (`vi.mock`).
 */
function ofModules(name: string, include: string[]) {
  return {
    test: {
      name,
      include,
      isolate: false,
      maxWorkers: 2,
      // Tests end or hang; on a machine that does other work besides, some take ten times as long as alone.
      testTimeout: 20 * seconds,
      sequence: { groupOrder: 0 },
    },
  };
}

/**
 * Suites that share one machine run after each other. The files of most may run two at a time, each on a stack of its
 * own; not those that compare what a sandbox feels with what it feels alone.
 */
function onTheMachine(name: string, order: number, testTimeoutSeconds: number, workers = 2) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: testTimeoutSeconds * seconds,
      hookTimeout: 180 * seconds,
      ...(workers === 1 ? { fileParallelism: false } : { maxWorkers: workers }),
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
      ofModules("unit", ["test/unit/**/*.test.ts", "test/tidy.test.ts"]),
      ofModules("integration", ["test/integration/**/*.test.ts"]),
      onTheMachine("processes", 1, 60, 1),
      onTheMachine("workers", 2, 60, 1),
      onTheMachine("conformance", 3, 60),
      onTheMachine("e2e", 4, 120),
      onTheMachine("hostile", 5, 60, 1),
    ],
  },
});
