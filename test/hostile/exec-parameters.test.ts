import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { api, type Box, newBox, refusal } from "./support.ts";

const execing = ({ id }: Box, body: object) => refusal(api.call("POST", `/v1/sandboxes/${id}/exec`, body));

test("H45: no working directory leads out: not through descriptors, not through /proc/1, not by symlink", async () => {
  const box = await newBox();
  await box.exec(
    "ln -s /proc/self/cwd cwd; ln -s /proc/1/root root; ln -s /proc/self/fd fds; mkdir real; ln -s real l",
  );
  expect((await box.exec("pwd -P", { cwd: "/home/user/l" })).stdout).toMatch(/\/real\n$/);
  const descriptors = Array.from({ length: 16 }, (_, fd) => `/proc/self/fd/${fd}`);
  const linked = ["cwd", "root", "root/etc", "fds", "fds/3", "fds/7"].map((name) => `/home/user/${name}`);
  const magic = [
    "/proc/1/root",
    "/proc/1/cwd",
    "/proc/self/root",
    "/proc/self/cwd",
    "/proc",
    "/proc/self",
    "/sys",
  ];
  const closed = ["/root", "/run/sandgate", "/no/such/folder", "/etc/passwd"];
  for (const cwd of [...descriptors, ...linked, ...magic, ...closed]) {
    const answer = await execing(box, { command: "pwd", cwd });
    expect([cwd, answer.status, answer.code]).toEqual([cwd, 422, "cwd_not_found"]);
    expect(answer.tookMs).toBeLessThan(1_000);
  }
  for (const cwd of ["relative", "/tmp/../proc", "/tmp//x", "/tmp\0/x", ""]) {
    expect(await execing(box, { command: "pwd", cwd })).toMatchObject({
      status: 400,
      code: "invalid_request",
    });
  }
});

test("H45: loader, shell and path variables act on the tenant's own programs and on nothing else", async () => {
  const box = await newBox();
  await box.exec(
    "printf '#!/bin/sh\\nid -u >>/tmp/log; cat /proc/self/status | grep CapEff >>/tmp/log' >hook; chmod +x hook",
  );
  const home = "/home/user";
  const env = {
    LD_PRELOAD: `${home}/hook`,
    LD_LIBRARY_PATH: home,
    LD_AUDIT: `${home}/hook`,
    BASH_ENV: `${home}/hook`,
  };
  const more = { ENV: `${home}/hook`, GCONV_PATH: home, PYTHONSTARTUP: `${home}/hook`, NODE_OPTIONS: "" };
  const result = await box.exec(["bash", "-c", "id -u"], { env: { ...env, ...more } });
  expect(result.stdout).toBe(`${box.host.uid}\n`);
  const { stdout } = await box.exec("sort -u /tmp/log");
  expect(stdout).toBe(`${box.host.uid}\nCapEff:\t0000000000000000\n`);
  const shadowed = await box.exec(["hook"], { env: { PATH: home } });
  expect(shadowed.exitCode).toBe(127);
  expect((await box.exec("echo clean; env | grep -c LD_")).stdout).toBe("clean\n0\n");
});

test("H45: an interpreter line that names the running program gives the tenant nothing but a tenant's program", async () => {
  const box = await newBox();
  const sandboxd = `/proc/${box.host.pid1}/exe`;
  const hashes = () => [sandboxd, ...engineBinaries()].map(sha256);
  const before = hashes();
  await box.exec(
    "printf '#!/proc/self/exe\\n' >s; printf '#!/proc/1/exe\\n' >t; printf '#!/sandboxd\\n' >u; chmod +x s t u",
  );
  for (const name of ["s", "t", "u"]) {
    const answer = await execing(box, { command: [`/home/user/${name}`] });
    if (answer.status === 200)
      expect(JSON.parse(answer.text)).toMatchObject({ exitCode: expect.toSatisfy((code) => code !== 0) });
    else expect([403, 422]).toContain(answer.status);
  }
  const overwrite =
    "for f in /sandboxd /proc/self/exe /proc/1/exe; do (cat /bin/true >$f) 2>/dev/null && echo wrote; done; echo ran";
  expect((await box.exec(overwrite)).stdout).toBe("ran\n");
  expect(hashes()).toEqual(before);
});

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const engineBinaries = () =>
  ["/usr/bin/runc", "/usr/sbin/runc", "/usr/bin/dockerd"].filter((path) => existsSync(path));

test("what no kernel call can carry is refused before it is tried", async () => {
  const box = await newBox();
  const bodies: object[] = [
    { command: ["echo", "a\0b"] },
    { command: "echo a\0b" },
    { command: [] },
    { command: [""] },
    { command: "" },
    { command: ["x".repeat(128 * 1024)] },
    { command: Array(1_025).fill("x") },
    { command: Array(1_024).fill("x".repeat(1_000)) },
    { command: "true", env: { "A=B": "x" } },
    { command: "true", env: { A: "x\0y" } },
    { command: "true", env: { "": "x" } },
    { command: "true", user: "root" },
    { command: "true", user: "0" },
    { command: "true", timeoutMs: 0 },
    { command: "true", timeoutMs: 2 ** 31 },
    { command: "true", cwd: "/x".repeat(3_000) },
    { command: "true", unknown: 1 },
    { command: { toString: "true" } },
  ];
  for (const body of bodies) {
    const answer = await execing(box, body);
    expect([JSON.stringify(body).slice(0, 60), answer.status]).toEqual([
      JSON.stringify(body).slice(0, 60),
      400,
    ]);
  }
  expect((await box.exec(["echo", "$(id)", "`id`", "; id", "-n"])).stdout).toBe("$(id) `id` ; id -n\n");
});

test("a program that is not there, not executable or no program at all is a typed refusal", async () => {
  const box = await newBox();
  await box.exec("echo text >text; printf '\\177ELF broken' >elf; chmod +x elf; ln -s self self; mkdir dir");
  for (const program of [
    "no-such",
    "/no/such",
    "/home/user/text",
    "/home/user/elf",
    "/home/user/self",
    "/home/user/dir",
  ]) {
    const answer = await execing(box, { command: [program] });
    expect([program, answer.status]).toEqual([
      program,
      expect.toSatisfy((status) => status >= 400 && status < 500),
    ]);
  }
  expect((await box.exec("echo usable")).stdout).toBe("usable\n");
});
