import { afterAll, beforeAll, expect, test } from "vitest";
import { type Box, python, shell, startBox } from "./harness.ts";

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box?.remove());

const list = (path: string, depth: number, limit = 1001, after?: Buffer) =>
  box.connection.list({ path, depth, limit, ...(after && { after }) });
const names = async (path: string, depth: number) =>
  (await list(path, depth)).entries.map((entry) => entry.path.toString("latin1"));
const remove = (path: string, isRecursive = false) => box.connection.delete({ path, isRecursive });

test("a listing says what everything is, and follows nothing", async () => {
  await shell(
    box,
    "mkdir -m 750 /tmp/kinds && cd /tmp/kinds && printf abc >file && mkdir sub && ln -s /etc sub/link && mkfifo fifo",
  );
  const { entries, hasMore } = await list("/tmp/kinds", 5);
  expect(hasMore).toBe(false);
  const own = { uid: box.uid, gid: box.uid };
  expect(entries).toMatchObject([
    { path: Buffer.from("fifo"), type: "other", ...own },
    { path: Buffer.from("file"), type: "file", size: 3, mode: 0o644, ...own },
    { path: Buffer.from("sub"), type: "directory", ...own },
    { path: Buffer.from("sub/link"), type: "symlink", linkTarget: Buffer.from("/etc") },
  ]);
  expect(entries[1]?.mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  expect((await list("/tmp/kinds", 0)).entries).toMatchObject([
    { path: Buffer.of(), type: "directory", mode: 0o750 },
  ]);
  expect((await list("/tmp/kinds/sub/link", 0)).entries).toMatchObject([{ type: "symlink" }]);
  expect(await names("/tmp/kinds/sub/link", 1)).toContain("passwd");
});

test("pages of any size add up to the whole tree, in the order of bytes", async () => {
  const build = `
import os
for d in ("a", "a/b", "a-", "b/x/y", "c"):
    os.makedirs("/tmp/pages/" + d)
    for i in range(7): open(f"/tmp/pages/{d}/{i}", "w")
for i in range(700): open(f"/tmp/pages/c/many{i}", "w")`;
  await python(box, build);
  const whole = await names("/tmp/pages", 32);
  expect(whole).toHaveLength(7 + 35 + 700);
  expect(whole.slice(0, 4)).toEqual(["a", "a/0", "a/1", "a/2"]);
  const inFolder = whole.filter((path) => path.startsWith("c/"));
  expect(inFolder).toEqual([...inFolder].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  for (const limit of [1, 3, 100]) {
    const found: string[] = [];
    let after: Buffer | undefined;
    for (let pages = 0; pages < 1000; pages++) {
      const page = await list("/tmp/pages", 32, limit, after);
      expect(page.entries.length).toBeLessThanOrEqual(limit);
      found.push(...page.entries.map((entry) => entry.path.toString()));
      after = page.entries.at(-1)?.path;
      if (!page.hasMore) break;
    }
    expect(found).toEqual(whole);
  }
  expect(await names("/tmp/pages", 1)).toEqual(["a", "a-", "b", "c"]);
  expect(await names("/tmp/pages", 2)).toContain("b/x");
  expect(await names("/tmp/pages", 2)).not.toContain("b/x/y");
});

test("a page goes on behind an entry that is gone by now", async () => {
  await shell(box, "mkdir /tmp/moving && cd /tmp/moving && touch a b c d && mkdir bb && touch bb/x");
  await shell(box, "rm -r /tmp/moving/b /tmp/moving/bb");
  expect(
    (await list("/tmp/moving", 9, 10, Buffer.from("bb/x"))).entries.map((e) => e.path.toString()),
  ).toEqual(["c", "d"]);
});

test("names of any bytes come through", async () => {
  const make =
    "import os; os.mkdir('/tmp/odd'); [open(b'/tmp/odd/' + n, 'w') for n in (b'\\xff\\xfe', b'a\\nb', b'\\x1b[2J', b'n' * 255)]";
  await python(box, make);
  expect(await names("/tmp/odd", 1)).toEqual(["\x1b[2J", "a\nb", "n".repeat(255), "\xff\xfe"]);
});

test("kernel file systems are named where they are mounted, and never entered", async () => {
  const root = await names("/", 2);
  expect(root).toContain("proc");
  expect(root).toContain("etc/passwd");
  expect(root.filter((path) => /^(proc|sys)\//.test(path))).toEqual([]);
});

test.each([
  ["/tmp/nothing", 1, "notFound"],
  ["/tmp/nothing", 0, "notFound"],
  ["/etc/passwd", 1, "notADirectory"],
  ["/etc/passwd/x", 1, "notFound"],
  ["/proc/self", 1, "pathRefused"],
  ["/proc/self/root", 1, "pathRefused"],
  ["/proc/1/fd", 0, "pathRefused"],
  ["/root", 1, "permissionDenied"],
])("listing %s to depth %i is refused as %s", async (path, depth, code) => {
  await expect(list(path, depth)).rejects.toMatchObject({ code });
});

test("depth, page and cursor are held to their bounds", async () => {
  await expect(list("/tmp", 33)).rejects.toMatchObject({ code: "badRequest" });
  await expect(list("/tmp", 1, 0)).rejects.toMatchObject({ code: "badRequest" });
  await expect(list("/tmp", 1, 1002)).rejects.toMatchObject({ code: "badRequest" });
  for (const after of ["../x", "/a", "a//b", "a/", ".", "a/./b", "x".repeat(256), "a\0b", "a/".repeat(40)])
    await expect(list("/tmp", 1, 10, Buffer.from(after))).rejects.toMatchObject({ code: "badRequest" });
});

test("a file, a symlink itself and an empty folder are deleted; a full one only with its tree", async () => {
  await shell(
    box,
    "mkdir -p /tmp/gone/dir /tmp/gone/full /tmp/kept && cd /tmp/gone && touch file full/x ../kept/x && ln -s /tmp/kept link && ln -s /tmp/kept full/link",
  );
  await remove("/tmp/gone/file");
  await remove("/tmp/gone/link");
  await remove("/tmp/gone/dir");
  await expect(remove("/tmp/gone/full")).rejects.toMatchObject({ code: "notEmpty" });
  await remove("/tmp/gone/full", true);
  expect(await names("/tmp/gone", 5)).toEqual([]);
  expect(await names("/tmp/kept", 5)).toEqual(["x"]);
  await remove("/tmp/gone", true);
  await expect(remove("/tmp/gone", true)).rejects.toMatchObject({ code: "notFound" });
});

test("3,000 levels and thousands of files are deleted in a moment, and others are served meanwhile", async () => {
  const build = `
import os
os.mkdir("/workspace/deep"); os.chdir("/workspace/deep")
for i in range(3000):
    if i % 10 == 0: open("f", "w").close()
    os.mkdir("d"); os.chdir("d")`;
  expect((await python(box, build)).exitCode).toBe(0);
  await python(box, "import os; os.mkdir('/tmp/wide'); [open(f'/tmp/wide/{i}', 'w') for i in range(2500)]");
  expect((await list("/workspace", 32)).entries.length).toBe(36);
  const startedAtMs = performance.now();
  const removals = [remove("/workspace/deep", true), remove("/tmp/wide", true)];
  await list("/tmp/kinds", 1);
  await Promise.all(removals);
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  expect((await list("/workspace", 1)).entries).toEqual([]);
  expect(box.residentKiB()).toBeLessThan(8_192);
});

test("what may not be deleted is said, and what stands before it stays deleted", async () => {
  for (const [path, code] of [
    ["/etc/passwd", "permissionDenied"],
    ["/etc", "permissionDenied"],
    ["/proc/self/fd/0", "pathRefused"],
    ["/sys/kernel", "pathRefused"],
    ["/", "notARegularFile"],
  ] as const)
    await expect(remove(path, true), path).rejects.toMatchObject({ code });
  await shell(box, "mkdir -p /tmp/locked/in && touch /tmp/locked/in/x && chmod 500 /tmp/locked/in");
  await expect(remove("/tmp/locked", true)).rejects.toMatchObject({ code: "permissionDenied" });
  await shell(box, "chmod 700 /tmp/locked/in");
  await remove("/tmp/locked", true);
});

test("a deletion that is raced by its own tenant ends, and takes nothing outside of its tree", async () => {
  await shell(box, "mkdir -p /tmp/outside/a/b /tmp/race/x/y && touch /tmp/outside/canary");
  const racing = `
import os, time, threading
def swap():
    while True:
        try:
            os.makedirs("/tmp/race/x/y/z", exist_ok=True)
            os.rename("/tmp/race/x/y", "/tmp/outside/a/moved"); os.rename("/tmp/outside/a/moved", "/tmp/race/x/y")
            os.symlink("/tmp/outside", "/tmp/race/x/l"); os.unlink("/tmp/race/x/l")
        except OSError: pass
threading.Thread(target=swap, daemon=True).start(); time.sleep(3)`;
  const race = python(box, racing);
  for (let i = 0; i < 200; i++) await remove("/tmp/race", true).catch(() => undefined);
  await race;
  expect(await names("/tmp/outside", 1)).toContain("canary");
});
