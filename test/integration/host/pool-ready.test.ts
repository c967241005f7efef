import { expect, test } from "vitest";
import { hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();

test("a member counts as warm once its template's readiness command has ended well", async () => {
  const made = host({ readyCommand: "true", pool: { target: 2 } });
  await made.pool.warmUp(1_000);
  await expect.poll(() => made.shelf()).toMatchObject({ available: 2 });
  await expect(made.create()).resolves.toMatchObject({ source: "pool" });
});

test("a member that dies while it gets ready is removed and never handed out", async () => {
  // It "sleeps" for as long as it lives.
  const made = host({ readyCommand: "sleep", pool: { target: 0 } });
  const create = expect(made.create()).rejects.toMatchObject({ code: "no_capacity" });
  await expect.poll(() => made.runtime.containers.size).toBe(1);
  const [memberId = ""] = made.pool.memberIds();
  expect(made.shelf()).toMatchObject({ available: 0, starting: 1, waiting: 1 });
  made.runtime.daemonOf(memberId).die();
  await create;
  expect([made.runtime.containers.size, made.registry.size]).toEqual([0, 0]);
});

test("a warm member of a former life is looked at again: whether it had got ready is not known", async () => {
  const before = host({ pool: { target: 2 } });
  before.pool.refill();
  await expect.poll(() => before.shelf().available).toBe(2);
  const again = { runtime: before.runtime, folder: before.folder };
  const ready = host({ ...again, readyCommand: "true" });
  expect(await ready.recover()).toMatchObject({ warm: 2 });
  expect(ready.shelf().available).toBe(2);
});

test("a member of a former life that does not get ready is replaced", async () => {
  const before = host({ pool: { target: 1 } });
  before.pool.refill();
  await expect.poll(() => before.shelf().available).toBe(1);
  const [memberId = ""] = before.pool.memberIds();
  const after = host({ runtime: before.runtime, folder: before.folder, readyCommand: "no-such-program" });
  await after.recover();
  await expect.poll(() => before.runtime.containers.has(`c-${memberId}`)).toBe(false);
});
