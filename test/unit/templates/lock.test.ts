import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { clearStale, withLock } from "#templates/lock";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sandgate-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const lock = (onWait = () => {}, waitMs = 5_000) => ({ path: join(folder, "x.lock"), waitMs, onWait });

test("two pieces of work under one lock do not overlap, and the lock is gone after the second", async () => {
  const order: string[] = [];
  let finishFirst = () => {};
  let firstHasBegun = () => {};
  const begun = new Promise<void>((resolve) => {
    firstHasBegun = resolve;
  });
  const first = withLock(lock(), async () => {
    order.push("first begins");
    await new Promise<void>((resolve) => {
      finishFirst = resolve;
      firstHasBegun();
    });
    order.push("first ends");
  });
  await begun;
  const second = withLock(
    lock(() => finishFirst()),
    async () => {
      order.push("second");
    },
  );
  await Promise.all([first, second]);
  expect(order).toEqual(["first begins", "first ends", "second"]);
  expect(await readdir(folder)).toEqual([]);
});

test("the lock of a process that is gone is taken over, also when its pid lives on in another", async () => {
  await writeFile(join(folder, "x.lock"), `${process.pid} 1`);
  expect(await withLock(lock(), async () => "done")).toBe("done");
});

test("the lock of a process that was killed while it took one over is taken over too", async () => {
  for (const name of ["x.lock", "x.lock.left"]) await writeFile(join(folder, name), `${process.pid} 1`);
  expect(await withLock(lock(), async () => "done")).toBe("done");
  expect(await readdir(folder)).toEqual([]);
});

test("of many that find the lock of a process that is gone, one at a time works", async () => {
  let working = 0;
  let most = 0;
  let done = 0;
  for (let round = 0; round < 10; round++) {
    await writeFile(join(folder, "x.lock"), `${process.pid} 1`);
    const contenders = Array.from({ length: 8 }, () =>
      withLock({ ...lock(), pollMs: 1 }, async () => {
        most = Math.max(most, ++working);
        await readdir(folder);
        working--;
        done++;
      }),
    );
    await Promise.all(contenders);
  }
  expect([most, done]).toEqual([1, 80]);
  expect(await readdir(folder)).toEqual([]);
});

test("a lock that was found to be left, but that another has taken over meanwhile, stays theirs", async () => {
  const { path } = lock();
  await withLock(lock(), async () => {
    const theirs = await readFile(path, "utf8");
    await clearStale(path, `${process.pid} 1`, "999999 1");
    expect(await readFile(path, "utf8")).toBe(theirs);
  });
  expect(await readdir(folder)).toEqual([]);
});

test("work that fails gives the lock back", async () => {
  await expect(withLock(lock(), () => Promise.reject(new Error("full")))).rejects.toThrow("full");
  expect(await readdir(folder)).toEqual([]);
});

test("whoever waits stops waiting when told to, and leaves the lock to its holder", async () => {
  const holder = new AbortController();
  const held = withLock(
    lock(),
    () => new Promise<void>((resolve) => holder.signal.addEventListener("abort", () => resolve())),
  );
  await expect.poll(() => readdir(folder)).toEqual(["x.lock"]);
  const stop = new AbortController();
  const waiting = withLock({ ...lock(() => stop.abort("SIGINT")), signal: stop.signal }, async () => "done");
  await expect(waiting).rejects.toBe("SIGINT");
  expect(await readdir(folder)).toEqual(["x.lock"]);
  holder.abort();
  await held;
});
