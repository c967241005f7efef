import { expect, onTestFinished, test } from "vitest";
import { Process } from "#contract/process";
import { collect } from "../support/events.ts";
import { type Box, newBox, otherApi, refusal } from "./support.ts";

const pty = { cols: 80, rows: 24 };
const starting = ({ id, api }: Box, request: object) =>
  api.call("POST", `/v1/sandboxes/${id}/processes`, request);

test("H32: a fork bomb in a terminal ends with its process, and the sandbox is as before", async () => {
  const box = await newBox();
  const bomb = ["python3", "-c", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"];
  const { id } = await box.api.start(box.id, { command: bomb, pty });
  await expect.poll(() => box.host.tenantProcesses().length, { timeout: 5_000 }).toBeGreaterThan(100);
  await box.api.killProcess(box.id, id);
  expect(box.host.tenantProcesses()).toEqual([]);
  expect(await box.exec("echo here")).toMatchObject({ stdout: "here\n" });
});

test("H32: what ignores every signal it can, in a terminal and out of it, is gone when it was killed", async () => {
  const box = await newBox();
  const stubborn = `
import os, signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        os.fork()
        break
print("up", flush=True)
while True: time.sleep(1)`;
  for (const terminal of [pty, undefined]) {
    const { id } = await box.api.start(box.id, {
      command: ["python3", "-c", stubborn],
      ...(terminal && { pty: terminal }),
    });
    await expect.poll(() => box.host.tenantProcesses().length, { timeout: 5_000 }).toBeGreaterThan(5);
    for (const signal of ["SIGHUP", "SIGTERM"] as const)
      await box.api.signal(box.id, id, { signal, tree: true });
    expect(box.host.tenantProcesses().length).toBeGreaterThan(5);
    await box.api.killProcess(box.id, id);
    expect(box.host.tenantProcesses()).toEqual([]);
  }
});

test("a thousand processes asked for are a bounded number of processes, and typed refusals", async () => {
  const box = await newBox();
  const codes = new Map<string, number>();
  const started: string[] = [];
  let left = 1_000;
  const asking = async () => {
    while (left-- > 0) {
      const answer = await starting(box, { command: ["sleep", "300"], ...(left % 2 === 0 && { pty }) });
      const text = await answer.text();
      const code = answer.ok ? "started" : (JSON.parse(text) as { code: string }).code;
      if (answer.ok) started.push(Process.parse(JSON.parse(text)).id);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 20 }, asking));
  expect([...codes.keys()].sort()).toEqual(["started", "too_many_execs"]);
  expect(codes.get("started")).toBe(64);
  expect((await box.api.processes(box.id)).filter(({ state }) => state === "running")).toHaveLength(64);
  // What is full is full for commands too, and has room again once some of it has ended.
  expect(
    await refusal(box.api.call("POST", `/v1/sandboxes/${box.id}/exec`, { command: "true" })),
  ).toMatchObject({
    code: "too_many_execs",
  });
  await Promise.all(started.slice(0, 10).map((id) => box.api.killProcess(box.id, id)));
  expect(await box.exec("echo room")).toMatchObject({ stdout: "room\n" });
});

test("processes of another tenant's sandbox are as if there were none, whatever is asked of them", async () => {
  const box = await newBox();
  const { id, pid } = await box.api.start(box.id, { command: "sleep 300", pty });
  for (const name of [id, String(pid)]) {
    const path = `/v1/sandboxes/${box.id}/processes/${name}`;
    const answers = [
      otherApi.call("GET", path),
      otherApi.call("DELETE", path),
      otherApi.call("GET", `${path}/events`),
      otherApi.call("POST", `${path}/stdin`, "x"),
      otherApi.call("POST", `${path}/signal`, { signal: "SIGKILL" }),
      otherApi.call("POST", `${path}/resize`, pty),
    ];
    for (const answer of answers)
      expect(await refusal(answer)).toMatchObject({ status: 404, code: "sandbox_not_found" });
  }
  expect(await box.api.process(box.id, id)).toMatchObject({ state: "running" });
});

test("while a tenant stops and kills everything, every terminal is started or refused, and ends", async () => {
  const box = await newBox();
  const storm =
    "import os\nwhile True:\n  for number in (19, 9):\n    try: os.kill(-1, number)\n    except OSError: pass";
  const { id: attacker } = await box.api.start(box.id, { command: ["python3", "-c", storm] });
  onTestFinished(() => box.api.killProcess(box.id, attacker).catch(() => undefined));
  for (let i = 0; i < 30; i++) {
    const answer = await starting(box, { command: ["sleep", "300"], pty, timeoutMs: 1_000 });
    const text = await answer.text();
    if (!answer.ok) {
      expect(JSON.parse(text)).toMatchObject({ code: "exec_interrupted" });
      continue;
    }
    const { events } = await box.api.attach(box.id, Process.parse(JSON.parse(text)).id);
    expect((await collect(events)).last.event).toBe("exit");
  }
  await box.api.killProcess(box.id, attacker);
  expect(await box.exec("echo here")).toMatchObject({ stdout: "here\n" });
});

test("a terminal gives a tenant nothing that it has not: not another's terminal, not the daemon's", async () => {
  const [box, other] = [await newBox(), await newBox()];
  const { id } = await other.api.start(other.id, { command: "sleep 300", pty });
  onTestFinished(() => other.api.killProcess(other.id, id).catch(() => undefined));
  const script = `ls /dev/pts; stat -c %U:%a $(tty); cat /proc/self/status | grep -E 'CapEff|CapBnd|NoNewPrivs'
for fd in /proc/self/fd/*; do readlink $fd; done | grep -v -E '^/dev/pts/[0-9]+$|^/proc/|^pipe:' || echo nothing else`;
  const process = await box.api.start(box.id, { command: ["bash", "-c", script], pty });
  const { stdout } = await collect((await box.api.attach(box.id, process.id)).events);
  const lines = stdout.toString().trim().split("\r\n");
  expect(lines.slice(0, 2)).toEqual(["0  ptmx", "user:620"]);
  expect(stdout.toString()).toMatch(/CapEff:\s0+\r\nCapBnd:\s0+\r\nNoNewPrivs:\s1\r\n/);
  expect(lines.at(-1)).toBe("nothing else");
});
