import { afterAll, beforeAll, expect, test } from "vitest";
import { type Box, shell, startBox, waitUntil } from "./harness.ts";

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box?.remove());

async function* pieces(...parts: (string | Uint8Array)[]) {
  for (const part of parts) yield Buffer.from(part);
}

async function read(path: string, range: { offset?: number; length?: number } = {}): Promise<Buffer> {
  const { body } = await box.connection.readFile({ path, ...range });
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

test("a file comes back as it was written, in a folder that was made for it", async () => {
  const content = Buffer.from(Array.from({ length: 3_000_001 }, (_, i) => (i * 31) & 0xff));
  async function* body() {
    for (let at = 0; at < content.length; at += 77_777) yield content.subarray(at, at + 77_777);
  }
  const path = "/workspace/made/for/it.bin";
  const written = await box.connection.writeFile({ path, mode: 0o640 }, body());
  expect(written).toMatchObject({ size: content.length, mode: 0o640, uid: box.uid, gid: box.uid });
  const { stat } = await box.connection.readFile({ path });
  expect(stat).toEqual(written);
  expect((await read(path)).equals(content)).toBe(true);
  expect((await read(path, { offset: 1000, length: 70_000 })).equals(content.subarray(1000, 71_000))).toBe(
    true,
  );
  expect((await read(path, { offset: 5_000_000 })).length).toBe(0);
});

test("an empty file is a file", async () => {
  expect(await box.connection.writeFile({ path: "/tmp/empty" }, pieces())).toMatchObject({
    size: 0,
    mode: 0o644,
  });
  expect((await read("/tmp/empty")).length).toBe(0);
});

test.each([1, 65_535, 65_536, 65_537, 131_072])(
  "a file of %i bytes is whole, read and written",
  async (size) => {
    const content = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31) & 0xff));
    expect(await box.connection.writeFile({ path: "/tmp/sized" }, pieces(content))).toMatchObject({ size });
    expect((await read("/tmp/sized")).equals(content)).toBe(true);
  },
);

test("whoever has its answer has its place back: as many as there may be at once, again and again", async () => {
  const atOnce = 30; // of 32, of which a test before this one has left one open
  const write = (i: number) => box.connection.writeFile({ path: `/tmp/slot-${i}` }, pieces(`${i}`));
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: atOnce }, (_, i) => write(i)));
    const files = await Promise.all(
      Array.from({ length: atOnce }, (_, i) => box.connection.readWhole(`/tmp/slot-${i}`, 100)),
    );
    expect(files.map((file) => ("bytes" in file ? Buffer.from(file.bytes).toString() : ""))).toEqual(
      Array.from({ length: atOnce }, (_, i) => `${i}`),
    );
  }
});

test("without a mode, the replaced file's mode stays", async () => {
  await shell(box, "echo x >/tmp/tool; chmod 755 /tmp/tool");
  expect(await box.connection.writeFile({ path: "/tmp/tool" }, pieces("y"))).toMatchObject({ mode: 0o755 });
});

test.each([
  ["/tmp/fifo", "notARegularFile"],
  ["/tmp/socket", "notARegularFile"],
  ["/dev/zero", "notARegularFile"],
  ["/tmp", "notARegularFile"],
  ["/proc/self/status", "pathRefused"],
  ["/proc/self/fd/0", "pathRefused"],
  ["/proc/self/root/etc/passwd", "pathRefused"],
  ["/tmp/into-proc", "pathRefused"],
  ["/var/lib/dpkg/lock", "permissionDenied"],
  ["/run/sandgate/sock", "permissionDenied"],
  ["/nonesuch", "notFound"],
  ["/tmp/../etc/passwd", "badRequest"],
  ["etc/passwd", "badRequest"],
])("reading %s is answered at once with %s", async (path, code) => {
  await shell(box, "cd /tmp; test -p fifo || mkfifo fifo; ln -sfn /proc/version into-proc");
  await shell(
    box,
    `python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('/tmp/socket')" 2>/dev/null`,
  );
  const startedMs = Date.now();
  await expect(box.connection.readFile({ path })).rejects.toMatchObject({ code });
  expect(Date.now() - startedMs).toBeLessThan(200);
});

test.each([
  ["/tmp/fifo", "notARegularFile"],
  ["/tmp", "notARegularFile"],
  ["/proc/self/oom_score_adj", "pathRefused"],
  ["/etc/passwd", "permissionDenied"],
  ["/tmp/loop", "pathRefused"],
])("writing %s is answered with %s", async (path, code) => {
  await shell(box, "cd /tmp; test -p fifo || mkfifo fifo; ln -sfn loop loop");
  await expect(box.connection.writeFile({ path }, pieces("x"))).rejects.toMatchObject({ code });
});

test("a full disk is noSpace and leaves no rest", async () => {
  await shell(box, "mkdir -p /workspace/full && echo old >/workspace/full/file");
  async function* endless() {
    for (;;) yield Buffer.alloc(256 * 1024);
  }
  const writing = box.connection.writeFile({ path: "/workspace/full/file" }, endless());
  await expect(writing).rejects.toMatchObject({ code: "noSpace" });
  await waitUntil(async () => (await shell(box, "ls -A /workspace/full")).stdout === "file\n", 1000);
  expect((await read("/workspace/full/file")).toString()).toBe("old\n");
});

test("an upload that is given up leaves the old content and no rest", async () => {
  await shell(box, "mkdir -p /workspace/half && echo old >/workspace/half/file");
  async function* dying() {
    yield Buffer.alloc(100_000);
    throw new Error("the caller went away");
  }
  await expect(box.connection.writeFile({ path: "/workspace/half/file" }, dying())).rejects.toThrow(
    "went away",
  );
  await waitUntil(async () => (await shell(box, "ls -A /workspace/half")).stdout === "file\n", 1000);
  expect((await read("/workspace/half/file")).toString()).toBe("old\n");
});

test("a symlink is written through, absolute or relative, and stays a symlink", async () => {
  await shell(box, "cd /workspace; echo a >one; echo b >/tmp/two; ln -s one to-one; ln -s /tmp/two to-two");
  await box.connection.writeFile({ path: "/workspace/to-one" }, pieces("1"));
  await box.connection.writeFile({ path: "/workspace/to-two" }, pieces("2"));
  const { stdout } = await shell(box, "cd /workspace; cat one /tmp/two; readlink to-one to-two");
  expect(stdout).toBe("12one\n/tmp/two\n");
});

test("a cancelled read ends, and the next one is served", async () => {
  await shell(box, "head -c 20000000 /dev/zero >/workspace/big");
  for (let i = 0; i < 40; i++) {
    const { body } = await box.connection.readFile({ path: "/workspace/big" });
    await body.cancel();
  }
  expect((await read("/workspace/big")).length).toBe(20_000_000);
  expect(box.connection.isOpen).toBe(true);
});
