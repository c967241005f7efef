import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { api, type Box, newBox, otherApi, refusal } from "./support.ts";

const canary = `canary-${randomUUID()}`;
const mib = 1024 * 1024;

const url = (id: string, path: string) => `/v1/sandboxes/${id}/files?path=${encodeURIComponent(path)}`;
const reading = ({ id }: Box, path: string) => refusal(api.call("GET", url(id, path)));
const writing = ({ id }: Box, path: string, body = "x") => refusal(api.call("PUT", url(id, path), body));

/** A file that only this machine's root may read, where a careless host would find it. */
function plantCanary(folder = "/etc"): string {
  const path = join(folder, `sandgate-${canary}`);
  writeFileSync(path, canary, { mode: 0o600 });
  onTestFinished(() => rmSync(path, { force: true }));
  return path;
}

test("control: a file is read and written by its name and through an ordinary symlink", async () => {
  const box = await newBox();
  await box.exec("mkdir a && echo inside >a/f && ln -s a/f l && ln -s /workspace/user w 2>/dev/null; true");
  expect((await api.read(box.id, "l")).toString()).toBe("inside\n");
  await api.write(box.id, "l", "written");
  expect((await box.exec("cat a/f")).stdout).toBe("written");
});

test("H39: reading never leaves the sandbox: not by name, not by symlink, not through /proc", async () => {
  const box = await newBox();
  const planted = plantCanary();
  const proc = ["/proc/1/environ", "/proc/self/environ", "/proc/self/mem", "/proc/1/mem", "/proc/1/maps"];
  const magic = [
    "/proc/1/root/etc/shadow",
    "/proc/self/root/etc/shadow",
    "/proc/self/cwd/f",
    "/proc/self/fd/3",
  ];
  const rest = ["/sys/kernel/uevent_seqnum", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/dev/pts/ptmx"];
  const paths = [
    "/etc/shadow",
    "/run/sandgate/sock",
    "/run/sandgate/passwd",
    planted,
    ...proc,
    ...magic,
    ...rest,
  ];
  const links = paths.map((path, index) => `ln -s ${path} link${index}`).join("; ");
  expect((await box.exec(`${links}; ln -s / top; ln -s /proc/self/root self; echo made`)).stdout).toBe(
    "made\n",
  );
  const linked = paths.map((_, index) => `link${index}`);
  const through = paths.flatMap((path) => [`top${path}`, `self${path}`]);
  for (const path of [...paths, ...linked, ...through]) {
    const answer = await reading(box, path);
    expect([path, answer.status]).toEqual([
      path,
      expect.toSatisfy((status) => status >= 400 && status < 500),
    ]);
    expect(answer.tookMs).toBeLessThan(1_000);
    expect(answer.text).not.toContain(canary);
  }
  await box.exec("echo closed >closed; chmod 0 closed");
  expect(await reading(box, "closed")).toMatchObject({ code: "file_permission_denied" });
  expect(await reading(box, "/proc/meminfo")).toMatchObject({ code: "path_refused" });
});

test("H39: writing never leaves the sandbox either", async () => {
  const box = await newBox();
  const planted = plantCanary();
  const paths = [
    "/etc/passwd",
    "/etc/x",
    "/sandboxd",
    "/run/sandgate/x",
    "/proc/self/mem",
    "/proc/sys/kernel/core_pattern",
  ];
  const more = [
    "/proc/self/oom_score_adj",
    "/sys/fs/cgroup/cgroup.procs",
    "/proc/self/root/tmp/x",
    "/dev/kmsg",
    planted,
  ];
  const all = [...paths, ...more];
  await box.exec(all.map((path, index) => `ln -s ${path} link${index}`).join("; "));
  for (const path of [...all, ...all.map((_, index) => `link${index}`)]) {
    const answer = await writing(box, path);
    expect([path, answer.status]).toEqual([
      path,
      expect.toSatisfy((status) => status >= 400 && status < 500),
    ]);
    expect(answer.tookMs).toBeLessThan(1_000);
  }
  const { pid1 } = box.host;
  expect((await box.exec("echo alive; stat -c %s /etc/passwd")).stdout).toMatch(/^alive\n\d+\n$/);
  expect(box.host.processes()[0]).toBe(pid1);
});

test("H41: what is no regular file is refused within a second: devices, FIFOs, sockets and folders", async () => {
  const box = await newBox();
  const socket = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'";
  await box.exec(
    `mkfifo fifo; ${socket}; mkdir folder; ln -s fifo lfifo; ln -s /dev/zero lzero; ln -s loop loop`,
  );
  const names = ["fifo", "lfifo", "sock", "folder", "lzero", "/dev/zero", "/dev/random", "/dev/tty", "/tmp"];
  for (const name of names) {
    for (const answer of [await reading(box, name), await writing(box, name)]) {
      expect([name, answer.status]).toEqual([
        name,
        expect.toSatisfy((status) => status >= 400 && status < 500),
      ]);
      expect(answer.tookMs).toBeLessThan(1_000);
    }
  }
  expect(await reading(box, "fifo")).toMatchObject({ status: 409, code: "not_a_file" });
  expect((await reading(box, "loop")).status).toBeLessThan(500);
  expect((await box.exec("echo alive")).stdout).toBe("alive\n");
});

test("H40: a path that is swapped for a symlink while it is read gives the tenant's own bytes or a refusal", async () => {
  const box = await newBox();
  const planted = plantCanary();
  const swap = `mkdir -p d; echo own >d/f; ln -s ${planted.slice(0, planted.lastIndexOf("/"))} e; ln -s ${planted} d/g`;
  const loop =
    "import os\nfor i in range(10**9):\n  os.rename('d','x'); os.rename('e','d'); os.rename('x','e')";
  await box.exec(`${swap}; nohup python3 -c "${loop}" >/dev/null 2>&1 &`, { timeoutMs: 2_000 });
  const seen = new Set<string>();
  const ends = performance.now() + 1_500;
  while (performance.now() < ends) {
    const names = ["d/f", "e/f", "d/shadow", "d/g", `d/sandgate-${canary}`];
    const answers = await Promise.all(names.map((name) => reading(box, name)));
    for (const { status, text } of answers) seen.add(status === 200 ? text : String(status));
  }
  expect(seen).toContain("own\n");
  expect(seen.size).toBeGreaterThan(1);
  for (const outcome of seen) expect(outcome).toMatch(/^(own\n|4\d\d)$/);
});

test("an upload that is refused costs no other tenant a command", async () => {
  const [full, neighbour] = await Promise.all([newBox(), newBox({}, otherApi)]);
  await full.probe(["fill", "/tmp/f"]);
  const isOver = sleep(2_500, true);
  const codes = new Set<string>();
  const attack = async () => {
    while (!(await Promise.race([isOver, false]))) {
      codes.add((await writing(full, "/tmp/more", "x".repeat(mib))).code);
    }
  };
  const work = async () => {
    for (let i = 0; !(await Promise.race([isOver, false])) || i < 20; i++) {
      expect((await neighbour.exec(["true"])).exitCode).toBe(0);
    }
  };
  await Promise.all([attack(), attack(), work()]);
  expect([...codes]).toEqual(["no_space"]);
});
