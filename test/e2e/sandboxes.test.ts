import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
});
afterAll(() => stack?.dispose());

test("a sandbox runs a program on a file that was put into it, and is gone after its deletion", async () => {
  const { api } = stack;
  const { id, state } = await api.create({ template: "python", metadata: { purpose: "test" } });
  expect(state).toBe("running");
  await api.write(id, "numbers.txt", "3\n4\n5\n");
  await api.write(id, "sum.py", "import sys\nprint(sum(int(line) for line in sys.stdin))\n");
  const result = await api.exec(id, "python3 sum.py < numbers.txt");
  expect(result).toMatchObject({ exitCode: 0, stdout: "12\n", stderr: "", endReason: "exited" });
  await api.delete(id);
  expect(await api.get(id)).toMatchObject({ state: "ended", endReason: "killed" });
  const refused = await api.call("POST", `/v1/sandboxes/${id}/exec`, { command: "true" });
  expect(refused.status).toBe(410);
  expect(await refused.json()).toMatchObject({ code: "sandbox_ended" });
});

test("an array is never seen by a shell, a string is", async () => {
  const { api } = stack;
  const { id } = await api.create();
  expect((await api.exec(id, ["echo", "$HOME;", "*"])).stdout).toBe("$HOME; *\n");
  expect((await api.exec(id, "echo $HOME")).stdout).toBe("/home/user\n");
  await api.delete(id);
});
