import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PoolHealth } from "#contract/host";
import { isFrozen } from "#host/cgroup/freeze";
import { cgroupPathsOf } from "#host/cgroup/paths";
import { expectBooksToAgree } from "../support/books.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import {
  type Container,
  containersOf,
  firstProcessOf,
  hostIdOf,
  processStateOf,
  removeContainer,
  shimOf,
} from "../support/traces.ts";

const containers = (stack: TestStack) => containersOf(hostIdOf(stack.dataDir));
const idsOf = (list: readonly Container[]) => list.map(({ id }) => id).sort();

async function poolOf(stack: TestStack): Promise<PoolHealth> {
  const health = (await (await fetch(`${stack.hostUrl}/healthz`)).json()) as { pools: PoolHealth[] };
  const [pool] = health.pools;
  if (!pool) throw new Error("The host shows no pool.");
  return pool;
}

describe("members that wait long are parked", () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await testStack({ SANDGATE_POOL_PARK_SECONDS: "1", SANDGATE_SWEEP_SECONDS: "2" });
  });
  afterAll(() => stack?.dispose());
  const untilParked = () =>
    expect.poll(() => poolOf(stack), { timeout: 15_000 }).toMatchObject({ available: 4, parked: 4 });

  test("frozen, and work like any other once they are handed out", async () => {
    await untilParked();
    for (const container of await containers(stack)) {
      expect(isFrozen(cgroupPathsOf(await firstProcessOf(container), container.id))).toBe(true);
    }
    const created = await Promise.all([1, 2, 3].map(() => stack.api.create()));
    for (const { id } of created) {
      expect(await stack.api.exec(id, `echo ${id}`)).toMatchObject({ stdout: `${id}\n` });
    }
    await expectBooksToAgree(
      stack,
      created.map(({ id }) => id),
    );
    await Promise.all(created.map(({ id }) => stack.api.delete(id)));
    await expectBooksToAgree(stack, []);
  });

  test("and are adopted by a host that was killed and came back", async () => {
    await untilParked();
    const before = await containers(stack);
    await stack.kill("agentHost");
    await stack.startAgain("agentHost");
    expect(idsOf(await containers(stack))).toEqual(idsOf(before));
    const { id } = await stack.api.create();
    expect(await stack.api.exec(id, "echo adopted")).toMatchObject({ stdout: "adopted\n" });
    await expectBooksToAgree(stack, [id]);
    await stack.api.delete(id);
  });

  test("F5 F6 F7: and are replaced when somebody removes or kills them behind our back", async () => {
    await expectBooksToAgree(stack, []);
    await untilParked();
    const before = await containers(stack);
    const [removed, killed, orphaned] = before;
    if (!removed || !killed || !orphaned) throw new Error("There are too few members.");
    await removeContainer(removed);
    process.kill(await firstProcessOf(killed), "SIGKILL");
    process.kill(shimOf(await firstProcessOf(orphaned)), "SIGKILL");
    const ids = (await Promise.all([1, 2].map(() => stack.api.create()))).map(({ id }) => id);
    for (const id of ids) expect(await stack.api.exec(id, "echo works")).toMatchObject({ stdout: "works\n" });
    await expectBooksToAgree(stack, ids);
    await Promise.all(ids.map((id) => stack.api.delete(id)));
  });
});

describe("a daemon that stops answering", () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await testStack({ SANDGATE_POOL_PARK_SECONDS: "0", SANDGATE_SWEEP_SECONDS: "1" });
  });
  afterAll(() => stack?.dispose());

  test("F29: in a warm sandbox is found and replaced", async () => {
    await expectBooksToAgree(stack, []);
    const [silent] = await containers(stack);
    if (!silent) throw new Error("There is no member.");
    const pid = await firstProcessOf(silent);
    process.kill(pid, "SIGSTOP");
    await expect.poll(() => processStateOf(pid)).toBe("T");
    await expect
      .poll(async () => idsOf(await containers(stack)).includes(silent.id), { timeout: 20_000 })
      .toBe(false);
    await expectBooksToAgree(stack, []);
  });

  test("F29: in a warm sandbox that is handed out before that costs the create another try, not its success", async () => {
    await expectBooksToAgree(stack, []);
    const members = await containers(stack);
    for (const member of members.slice(0, 2)) process.kill(await firstProcessOf(member), "SIGSTOP");
    const created = await Promise.all(members.map(() => stack.api.create()));
    for (const { id } of created) expect((await stack.api.exec(id, "echo works")).stdout).toBe("works\n");
    await expectBooksToAgree(
      stack,
      created.map(({ id }) => id),
    );
    await Promise.all(created.map(({ id }) => stack.api.delete(id)));
    await expectBooksToAgree(stack, []);
  });
});

describe("the target", () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await testStack({
      SANDGATE_POOL_TARGET: "2",
      SANDGATE_POOL_MAX: "14",
      SANDGATE_POOL_LOOKAHEAD_SECONDS: "30",
    });
  });
  afterAll(() => stack?.dispose());

  test("follows the creates, and a burst beyond the pool is served from the line", async () => {
    const burst = await Promise.all(Array.from({ length: 12 }, () => stack.api.create()));
    expect(new Set(burst.map(({ id }) => id)).size).toBe(12);
    // What a full host refuses was asked for all the same.
    const ask = () => stack.api.call("POST", "/v1/sandboxes", {});
    let target = 0;
    for (let round = 0; round < 20 && target <= 2; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, ask));
      const refused = answers.filter(({ status }) => status === 503);
      for (const answer of refused) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      target = (await poolOf(stack)).target;
    }
    expect(target).toBeGreaterThan(2);
    expect(target).toBeLessThanOrEqual(14);
  });
});
