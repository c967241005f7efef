import { expect, test } from "vitest";
import { inspectOnce } from "#host/host";
import type { Finding } from "#host/preflight/finding";
import { hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();

const engine: Finding = { name: "engine", status: "ok", detail: "" };
const config = { hostFolder: "/somewhere/host", prepared: { templates: [{ name: "base" }] } };
const inspect = (made: ReturnType<typeof host>) => inspectOnce({ ...made.deps, config, findings: [engine] });

test("a host that keeps none warm is looked at on a member that is made for it", async () => {
  const made = host({ pool: { target: 0 } });
  expect(await inspect(made)).toEqual([engine]);
  expect(made.pool.memberIds()).toHaveLength(1);
});

test("a restarted host that is full keeps what it has adopted, and is up at once", async () => {
  const before = host({ pool: { max: 2, target: 0 } });
  await before.create();
  await before.create();
  const after = host({ runtime: before.runtime, folder: before.folder, pool: { max: 2, target: 2, min: 2 } });
  expect(await after.recover()).toMatchObject({ leased: 2 });
  const startedMs = performance.now();
  expect(await after.pool.warmUp(5_000)).toBe(false);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  expect(await inspect(after)).toEqual([engine]);
  expect(after.registry.size).toBe(2);
});

test("a host on which nothing starts says so, and one whose members lack something too", async () => {
  const none = host({ pool: { max: 0 } });
  await expect(inspect(none)).rejects.toThrow("No sandbox could be started");
  const unsafe = host();
  unsafe.runtime.inspect = async () => [{ name: "freeze", status: "failed", detail: "it does not" }];
  await expect(inspect(unsafe)).rejects.toThrow("freeze: it does not");
});
