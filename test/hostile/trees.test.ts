import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { EntryPage } from "#contract/files";
import { api, type Box, newBox, refusal } from "./support.ts";

const canary = `canary-${randomUUID()}`;
const path = `/etc/sandgate-${canary}`;

/** A file of this machine that no sandbox may see or touch. */
function plantCanary(): void {
  writeFileSync(path, canary, { mode: 0o666 });
  onTestFinished(() => rmSync(path, { force: true }));
}

const query = (values: Record<string, string>) => new URLSearchParams(values).toString();
const listing = ({ id }: Box, values: Record<string, string>) =>
  api.call("GET", `/v1/sandboxes/${id}/entries?${query(values)}`);
const deleting = ({ id }: Box, target: string) =>
  api.call("DELETE", `/v1/sandboxes/${id}/files?${query({ path: target, recursive: "true" })}`);
const itemsOf = async (answer: Promise<Response>) => EntryPage.parse(await (await answer).json()).items;

test("H39: listing and deleting never leave the sandbox: not by name, not by symlink, not through /proc", async () => {
  plantCanary();
  const box = await newBox();
  const targets = [
    path,
    "/etc/shadow",
    "/proc/self/environ",
    "/proc/self/root",
    "/proc/1/root",
    "/proc/self/cwd",
    "/sys/fs/cgroup",
    "/run/sandgate",
    "/root",
    "../../etc",
  ];
  await box.exec(targets.map((target, index) => `ln -s ${target} link${index}`).join("; "));
  await box.exec("ln -s / top; ln -s /proc/self/root self");
  for (const target of [...targets.slice(0, -1), ...targets.map((target) => `top${target}`)]) {
    const refused = await refusal(deleting(box, target));
    expect([target, refused.status >= 400 && refused.status < 500]).toEqual([target, true]);
  }
  for (const target of [
    ...targets.slice(0, -1),
    ...targets.map((_, index) => `link${index}`),
    "self",
    "self/etc",
  ]) {
    const answer = await refusal(listing(box, { path: target }));
    expect(answer.text).not.toContain(canary);
    expect([target, answer.status < 500]).toEqual([target, true]);
  }
  // Through a symlink to `/` the view is the sandbox's own, and the kernel's file systems stay closed.
  const all = await itemsOf(listing(box, { path: "top", depth: "3", limit: "1000" }));
  expect(all.some(({ path: shown }) => /\/(proc|sys)\//.test(shown))).toBe(false);
  // A symlink is what is deleted.
  await box.exec(
    "mkdir kept && touch kept/file && ln -s kept alias && mkdir tree && ln -s ../kept tree/alias",
  );
  expect((await deleting(box, "alias")).status).toBe(204);
  expect((await deleting(box, "tree")).status).toBe(204);
  expect((await box.exec("ls kept")).stdout).toBe("file\n");
  expect(readFileSync(path, "utf8")).toBe(canary);
});

test("H40: a folder that is swapped for a symlink while trees are listed and deleted opens nothing else", async () => {
  plantCanary();
  const box = await newBox();
  const swapping = `
import os, threading, time
os.makedirs("/home/user/race/in/x", exist_ok=True)
def swap():
    while True:
        try:
            os.rename("/home/user/race/in", "/home/user/race/out")
            os.symlink("/", "/home/user/race/in"); os.unlink("/home/user/race/in")
            os.rename("/home/user/race/out", "/home/user/race/in")
            os.makedirs("/home/user/race/in/x/y", exist_ok=True); open("/home/user/race/in/x/f", "w")
        except OSError: os.makedirs("/home/user/race/in/x", exist_ok=True)
for _ in range(2): threading.Thread(target=swap, daemon=True).start()
time.sleep(4)`;
  const swapper = box.exec(["python3", "-c", swapping]);
  let answers = 0;
  for (const endMs = performance.now() + 3_500; performance.now() < endMs; answers++) {
    const seen = await Promise.all([
      refusal(listing(box, { path: "race", depth: "4" })),
      refusal(listing(box, { path: "race/in/etc" })),
      refusal(deleting(box, "race/in")),
    ]);
    for (const { status, text } of seen) {
      expect(status).toBeLessThan(500);
      expect(text).not.toContain(canary);
    }
  }
  await swapper;
  expect(answers).toBeGreaterThan(30);
  expect(existsSync(path)).toBe(true);
  expect((await box.exec("ls -d /etc/passwd /tmp")).exitCode).toBe(0);
});

test("H41: FIFOs, sockets, 3,000 levels and names of any bytes are listed and deleted within a second", async () => {
  const box = await newBox();
  const making = `
import os, socket
os.makedirs("odd"); os.chdir("odd")
os.mkfifo("fifo"); socket.socket(socket.AF_UNIX).bind("socket"); os.mkdir("deep"); os.link("../probe", "hard")
for name in (b"new\\nline", b"\\x1b[2J", b"n" * 255, b"\\xff"): open(name, "w")
os.chdir("deep")
for _ in range(3000): os.mkdir("d"); os.chdir("d")`;
  expect(await box.exec(["python3", "-c", making])).toMatchObject({ exitCode: 0, stderr: "" });
  const timed = async <T>(work: Promise<T>) => {
    const startedAtMs = performance.now();
    const done = await work;
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    return done;
  };
  const items = await timed(itemsOf(listing(box, { path: "odd", depth: "32", limit: "1000" })));
  expect(items).toHaveLength(8 + 31);
  expect(items.filter(({ type }) => type === "other").map(({ name }) => name)).toEqual(["fifo", "socket"]);
  expect((await timed(deleting(box, "odd"))).status).toBe(204);
  expect((await box.exec("ls -A | tr '\\n' ' '")).stdout).toBe("probe ");
});
