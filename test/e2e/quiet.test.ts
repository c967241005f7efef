import { expect, test } from "vitest";
import { testStack } from "../support/stack.ts";

test("a stack that logs warnings only still says when it is ready, and works", async () => {
  const stack = await testStack({ SANDGATE_LOG_LEVEL: "warn", SANDGATE_POOL_TARGET: "2" });
  try {
    const { id } = await stack.api.create();
    expect((await stack.api.exec(id, ["echo", "hello"])).stdout).toBe("hello\n");
    await stack.api.delete(id);
  } finally {
    await stack.dispose();
  }
});
