import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { limits } from "#contract/limits";
import type { WatchEvent } from "#contract/watch";
import { boxOf } from "../support/box.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
});
afterAll(() => stack?.dispose());
const newBox = () => boxOf(stack.api);

/** A watch that is on, and what it tells. */
async function watching(box: string, path: string, recursive = false) {
  const { events, disconnect, response } = await stack.api.watch(box, path, recursive);
  onTestFinished(disconnect);
  expect((await events.next()).value?.event).toBe("ready");
  const next = async () => {
    const { value, done } = await events.next();
    if (done) throw new Error("The watch has ended.");
    const data = JSON.parse(value.data) as WatchEvent & { code?: string };
    return { event: value.event, ...data };
  };
  /** The next so many events, in short. */
  const told = async (count: number) => {
    const lines: string[] = [];
    while (lines.length < count) {
      const { event, path: of, from, isFolder } = await next();
      lines.push([event, from, of, isFolder && "folder"].filter(Boolean).join(" "));
    }
    return lines;
  };
  return { next, told, events, disconnect, response };
}

test("what happens in a folder is told in its order, by its kind", async () => {
  const box = await newBox();
  const { told, response } = await watching(box, "/home/user");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(response.headers.get("content-security-policy")).toBe("sandbox");
  await stack.api.exec(
    box,
    "echo hi > a; chmod 600 a; mv a b; rm b; mkdir c; ln -s nowhere d; echo deep > c/e; rmdir c || rm -r c",
  );
  expect(await told(8)).toEqual([
    "create /home/user/a",
    "write /home/user/a",
    "chmod /home/user/a",
    "rename /home/user/a /home/user/b",
    "remove /home/user/b",
    "create /home/user/c folder",
    "create /home/user/d",
    "remove /home/user/c folder",
  ]);
});

test("with `recursive` folders that come later are watched too, keep their place when they move, and end when they go", async () => {
  const box = await newBox();
  await stack.api.exec(box, "mkdir -p top/inner");
  const { told } = await watching(box, "top", true);
  await stack.api.exec(
    box,
    "mkdir top/new; sleep 0.1; echo 1 > top/new/file; mv top/new top/inner/moved; echo 2 >> top/inner/moved/file",
  );
  expect(await told(5)).toEqual([
    "create /home/user/top/new folder",
    "create /home/user/top/new/file",
    "write /home/user/top/new/file",
    "rename /home/user/top/new /home/user/top/inner/moved folder",
    "write /home/user/top/inner/moved/file",
  ]);
  // Out of the tree it is gone with all that is in it, and nothing more is told of it.
  await stack.api.exec(box, "mv top/inner/moved out; sleep 0.2; echo 3 >> out/file; mv out/file top/back");
  expect(await told(2)).toEqual(["remove /home/user/top/inner/moved folder", "create /home/user/top/back"]);
});

test("a tree that comes whole is told whole, and one that is deleted too, down to the watched folder itself", async () => {
  const box = await newBox();
  await stack.api.exec(box, "mkdir top");
  const { next } = await watching(box, "top", true);
  await stack.api.exec(box, "mkdir -p top/a/b/c && touch top/a/b/c/file && sleep 0.2 && rm -r top");
  const created = new Set<string>();
  const removed = new Set<string>();
  let last = await next();
  for (; last.event !== "end"; last = await next()) {
    if (last.event === "create") created.add(last.path);
    if (last.event === "remove") removed.add(last.path);
  }
  const all = ["/a", "/a/b", "/a/b/c", "/a/b/c/file"].map((path) => `/home/user/top${path}`);
  expect([...created].sort()).toEqual(all);
  expect([...removed].sort()).toEqual(all);
  expect(last).toMatchObject({ event: "end", path: "/home/user/top" });
});

test("a file can be watched by itself, and an upload is a file that comes into being", async () => {
  const box = await newBox();
  await stack.api.write(box, "one.txt", "1");
  const folder = await watching(box, "/home/user");
  await stack.api.write(box, "two.txt", "2");
  expect(await folder.told(1)).toEqual(["create /home/user/two.txt"]);
  const file = await watching(box, "one.txt");
  await stack.api.exec(box, "echo more >> one.txt; rm one.txt");
  expect(await file.told(1)).toEqual(["write /home/user/one.txt"]);
  expect(["chmod", "end"]).toContain((await file.next()).event);
});

test("names of any bytes are told without loss, and break no event", async () => {
  const box = await newBox();
  const { next } = await watching(box, "/home/user");
  await stack.api.exec(box, [
    "python3",
    "-c",
    'import os\nfor name in (b"caf\\xe9", b"a\\nb\\rc\\x1b[2J", b"data: x"): open(b"/home/user/" + name, "w").close()',
  ]);
  const first = await next();
  expect(Buffer.from(first.pathBase64 ?? "", "base64")).toEqual(Buffer.from("/home/user/caf\xe9", "latin1"));
  expect(await next()).toMatchObject({ path: "/home/user/a\nb\rc\x1b[2J" });
  expect(await next()).toMatchObject({ path: "/home/user/data: x" });
});

test("a reader who is behind loses nothing silently: what the kernel dropped is told, and the watch goes on", async () => {
  const box = await newBox();
  const { next } = await watching(box, "/home/user", true);
  const storm = 'import os\nname = "d" * 200\nfor i in range(60000):\n  os.mkdir(name); os.rmdir(name)';
  await stack.api.exec(box, ["python3", "-c", storm], { cwd: "/home/user" });
  await sleep(200);
  const told = new Set<string>();
  while (!told.has("overflow")) told.add((await next()).event);
  // Again and again: what happens before the last overflow is told is for the reader to look at.
  const command = "mkdir after; for i in $(seq 300); do touch after/$i; sleep 0.1; done";
  const { id } = await stack.api.start(box, { command });
  while (!(await next()).path?.startsWith("/home/user/after/"));
  await stack.api.killProcess(box, id);
}, 60_000);

test("a watch ends with its reader: no process of it is left, and there is room for another", async () => {
  const box = await newBox();
  const watches = await Promise.all(Array.from({ length: limits.watchesMax }, () => watching(box, "/tmp")));
  const more = () => stack.api.call("GET", `/v1/sandboxes/${box}/watch?path=/tmp`);
  await expectProblem(await more(), 409, "watch_limit");
  for (const { disconnect } of watches) disconnect();
  const left = async () => (await stack.api.exec(box, "pgrep -c -u user sandboxd || true")).stdout;
  await expect.poll(left, { timeout: 5_000 }).toBe("0\n");
  await (await more()).body?.cancel();
});

test("paths that cannot be watched are refused, and say why", async () => {
  const box = await newBox();
  await stack.api.exec(box, "ln -s /proc/self kernel");
  const call = (path: string) =>
    stack.api.call("GET", `/v1/sandboxes/${box}/watch?recursive=true&path=${encodeURIComponent(path)}`);
  await expectProblem(await call("missing"), 404, "file_not_found");
  for (const path of ["/proc", "/proc/1", "/sys", "/dev/pts", "/proc/self/fd", "kernel"])
    expect([path, (await expectProblem(await call(path), 400, "path_refused")).code]).toEqual([
      path,
      "path_refused",
    ]);
  await expectProblem(await call("/root"), 403, "file_permission_denied");
  await expectProblem(await call("../etc"), 400, "invalid_request");
  await expectProblem(
    await stack.api.call("HEAD", `/v1/sandboxes/${box}/watch?path=/tmp`).then(async (head) => {
      expect(head.status).toBe(405);
      return stack.api.call("GET", `/v1/sandboxes/${box}/watch`);
    }),
    400,
    "invalid_request",
  );
});

test("a watch ends with an error when its sandbox ends, and when its process is killed from inside", async () => {
  const box = await newBox();
  const killed = await watching(box, "/tmp");
  await stack.api.exec(box, "pkill -9 -u user sandboxd");
  expect(await killed.next()).toMatchObject({ event: "error", code: "exec_lost" });
  const ended = await watching(box, "/tmp");
  await stack.api.delete(box);
  expect(await ended.next()).toMatchObject({ event: "error", code: "sandbox_ended" });
});
