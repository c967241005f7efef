import { expect, test } from "vitest";
import { endSandbox } from "#host/sandboxes/end";
import { nameContainers } from "#host/sandboxes/name-containers";
import { hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();

test("a container is shown under its sandbox's id once that has lived for a while", async () => {
  const { create, clock, deps, runtime, registry } = host();
  const { sandboxId } = await create();
  const name = () => runtime.names.get(registry.all()[0]?.member.handle ?? "");
  await nameContainers(deps);
  expect(name()).toBeUndefined();
  clock.nowMs += 5_000;
  await nameContainers(deps);
  expect(name()).toBe(`sbx-${sandboxId}-1`);
});

test("the engine is asked once per sandbox, for one after the other, and for so many in a round", async () => {
  const { create, clock, deps, runtime } = host();
  for (let i = 0; i < 25; i++) await create();
  clock.nowMs += 5_000;
  let [asked, atOnce, mostAtOnce] = [0, 0, 0];
  runtime.label = async () => {
    asked++;
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    await new Promise(setImmediate);
    atOnce--;
    throw new Error("the engine is away");
  };
  await nameContainers(deps);
  expect([asked, mostAtOnce]).toEqual([20, 1]);
  await nameContainers(deps);
  await nameContainers(deps);
  expect(asked).toBe(25);
});

test("what has ended is not named any more", async () => {
  const { create, clock, deps, runtime, registry } = host();
  await create();
  await create();
  clock.nowMs += 5_000;
  const [first, second] = registry.all();
  if (!first || !second) throw new Error("not live");
  const asked: string[] = [];
  runtime.label = async ({ handle }) => {
    asked.push(handle);
    await endSandbox(deps, second, "killed");
  };
  await nameContainers(deps);
  expect(asked).toEqual([first.member.handle]);
});
