import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ErrorCode } from "#contract/errors";
import { expectBooksToAgree } from "../support/books.ts";
import { collect } from "../support/events.ts";
import { scratchFolder } from "../support/machine.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import { hostIdOf, noTraces, tracesOf } from "../support/traces.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A stack of which one folder lies on a small disk of its own. */
async function stackOnSmallDisk(
  small: (dataDir: string) => string,
  { sizeMiB = 12, settings = {} }: { sizeMiB?: number; settings?: Record<string, string> } = {},
) {
  const scratch = scratchFolder();
  const dataDir = join(scratch.path, "data");
  const disk = small(dataDir);
  mkdirSync(disk, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m`, "sandgate-test", disk]);
  // Lazily: this process still holds the database that it looked into.
  cleanUps.push(scratch.dispose, () => execFileSync("umount", ["--lazy", disk]));
  const stack = await testStack({ SANDGATE_SWEEP_SECONDS: "1", ...settings }, dataDir);
  cleanUps.push(() => stack.dispose());
  const ballast = join(disk, "ballast");
  return { stack, fill: () => fill(disk, ballast), free: () => rmSync(ballast) };
}

function fill(disk: string, ballast: string): void {
  const { bavail, bsize } = statfsSync(disk);
  try {
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
  } catch (cause) {
    // The programs write too: what they have taken since the look is full all the same.
    if ((cause as NodeJS.ErrnoException).code !== "ENOSPC") throw cause;
  }
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
  const running = await api.stream(kept, { command: "echo up; while [ ! -e /tmp/go ]; do sleep 0.1; done" });
  await running.events.next();
  disk.fill();
  const refused = await api.call("POST", "/v1/sandboxes", {});
  await expectProblem(refused, 503, code);
  expect(await api.exec(kept, "echo works")).toMatchObject({ stdout: "works\n" });
  await api.call("DELETE", `/v1/sandboxes/${ended}`);
  await api.write(kept, "/tmp/go", "");
  expect((await collect(running.events)).last).toMatchObject({ event: "exit", json: { exitCode: 0 } });
  disk.free();
  await api.delete(ended);
  await expectBooksToAgree(stack, [kept]);
  const after = (await api.create()).id;
  expect(await api.exec(after, "echo works")).toMatchObject({ stdout: "works\n" });
  await expectBooksToAgree(stack, [kept, after]);
}

describe("F17: on a full disk creates are refused, sandboxes live on, and space alone brings all back:", () => {
  test("the disk of the host's leases", async () => {
    const { stack, ...disk } = await stackOnSmallDisk((dataDir) => join(dataDir, "host"));
    await expectToBearIt(stack, disk, "no_capacity");
  });

  test("the disk of the whole data folder", async () => {
    const { stack, ...disk } = await stackOnSmallDisk((dataDir) => dataDir);
    await expectToBearIt(stack, disk, "unavailable");
  });
});

describe("F17: the disk of the workspaces", () => {
  const workspaceMiB = 64;
  const imagesIn = (dataDir: string) => join(dataDir, "host", "workspaces");
  /** Room for six sandboxes, two of them warm, besides what is kept free. */
  const smallDisk = () =>
    stackOnSmallDisk(imagesIn, {
      sizeMiB: 256 + 6 * workspaceMiB + 16,
      settings: {
        SANDGATE_DEFAULT_DISK_MIB: String(workspaceMiB),
        SANDGATE_DISK_OVERCOMMIT: "1",
        SANDGATE_POOL_TARGET: "2",
      },
    });

  test("is never promised twice: creates end where it does, and go on when one of them ends", async () => {
    const { stack } = await smallDisk();
    const { api } = stack;
    const ids = [(await api.create()).id, (await api.create()).id, (await api.create()).id];
    await stack.poolIsFull();
    await expectProblem(await api.call("POST", "/v1/sandboxes", { diskMiB: 512 }), 400, "invalid_request");
    await expectProblem(await api.call("POST", "/v1/sandboxes", { diskMiB: 200 }), 503, "no_capacity");
    for (let more = 0; more < 3; more++) ids.push((await api.create()).id);
    await expectProblem(await api.call("POST", "/v1/sandboxes", {}), 503, "no_capacity");
    // Every one of them may take all that it was promised, at once.
    const fills = await Promise.all(
      ids.map((id) => api.exec(id, "head -c 58M /dev/zero >f && sync f && stat -c %s f")),
    );
    expect(fills.map(({ stdout }) => Number(stdout))).toEqual(ids.map(() => 58 * 1024 * 1024));
    await api.delete(ids[0] ?? "");
    await expect
      .poll(async () => (await api.call("POST", "/v1/sandboxes", {})).status, { timeout: 20_000 })
      .toBe(201);
  });

  test("full by others: nothing is handed out, a write fails aloud, and space alone brings all back", async () => {
    const { stack, fill: fillDisk, free } = await smallDisk();
    const { api } = stack;
    const { id } = await api.create();
    await api.write(id, "note", "of before");
    await stack.poolIsFull();
    fillDisk();
    await expectProblem(await api.call("POST", "/v1/sandboxes", {}), 503, "no_capacity");
    const written = await api.exec(id, "dd if=/dev/zero of=f bs=1M count=40 conv=fsync");
    expect(written).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("No space left") });
    expect((await api.exec(id, "cat note; echo works")).stdout).toContain("works\n");
    free();
    const after = (await api.create()).id;
    const again = await api.exec(after, "dd if=/dev/zero of=f bs=1M count=40 conv=fsync");
    expect(again.exitCode).toBe(0);
    await api.delete(after);
    await expectBooksToAgree(stack, [id]);
  });
});

test("F17: a stop on a full disk leaves nothing on the machine all the same", async () => {
  const { stack, fill: fillDisk } = await stackOnSmallDisk((dataDir) => dataDir);
  await stack.api.create();
  fillDisk();
  await stack.stop();
  const hostId = hostIdOf(stack.dataDir);
  expect(await tracesOf(stack.dataDir, hostId)).toEqual(noTraces);
});
