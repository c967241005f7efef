import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ErrorCode } from "#contract/errors";
import { expectBooksToAgree } from "../support/books.ts";
import { scratchFolder } from "../support/machine.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import { hostIdOf, noTraces, tracesOf } from "../support/traces.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A stack of which one folder lies on a small disk of its own. */
async function stackOnSmallDisk(small: (dataDir: string) => string) {
  const scratch = scratchFolder();
  const dataDir = join(scratch.path, "data");
  const disk = small(dataDir);
  mkdirSync(disk, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m", "sandgate-test", disk]);
  // Lazily: this process still holds the database that it looked into.
  cleanUps.push(scratch.dispose, () => execFileSync("umount", ["--lazy", disk]));
  const stack = await testStack({ SANDGATE_SWEEP_SECONDS: "1" }, dataDir);
  cleanUps.push(() => stack.dispose());
  const ballast = join(disk, "ballast");
  return { stack, fill: () => fill(disk, ballast), free: () => rmSync(ballast) };
}

function fill(disk: string, ballast: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize));
}

/** What is promised about every full disk, whichever part meets it. */
async function expectToBearIt(
  stack: TestStack,
  disk: { fill(): void; free(): void },
  code: ErrorCode,
): Promise<void> {
  const { api } = stack;
  const [kept = "", ended = ""] = [(await api.create()).id, (await api.create()).id];
  await expectBooksToAgree(stack, [kept, ended]);
  disk.fill();
  const refused = await api.call("POST", "/v1/sandboxes", {});
  await expectProblem(refused, 503, code);
  expect(await api.exec(kept, "echo works")).toMatchObject({ stdout: "works\n" });
  await api.call("DELETE", `/v1/sandboxes/${ended}`);
  disk.free();
  await api.delete(ended);
  await expectBooksToAgree(stack, [kept]);
  const after = (await api.create()).id;
  expect(await api.exec(after, "echo works")).toMatchObject({ stdout: "works\n" });
  await expectBooksToAgree(stack, [kept, after]);
}

describe("on a full disk creates are refused, sandboxes live on, and space alone brings all back:", () => {
  test("the disk of the host's leases", async () => {
    const { stack, ...disk } = await stackOnSmallDisk((dataDir) => join(dataDir, "host"));
    await expectToBearIt(stack, disk, "no_capacity");
  });

  test("the disk of the whole data folder", async () => {
    const { stack, ...disk } = await stackOnSmallDisk((dataDir) => dataDir);
    await expectToBearIt(stack, disk, "unavailable");
  });
});

test("a stop on a full disk leaves nothing on the machine all the same", async () => {
  const { stack, fill: fillDisk } = await stackOnSmallDisk((dataDir) => dataDir);
  await stack.api.create();
  fillDisk();
  await stack.stop();
  const hostId = hostIdOf(stack.dataDir);
  expect(await tracesOf(stack.dataDir, hostId)).toEqual(noTraces);
});
