import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Box,
  background,
  countProcesses,
  noSink,
  python,
  run,
  shell,
  startBox,
  waitUntil,
} from "./harness.ts";

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box?.remove());

const stubbornFamily = `import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
  os.setsid()
  if os.fork() == 0: time.sleep(100)
  os._exit(0)
time.sleep(100)`;

const forkBomb = `import os
while True:
  try: os.fork()
  except OSError: pass`;

test("a timeout ends the whole tree, sessions of its own and ignored signals included", async () => {
  const startedMs = Date.now();
  const result = await python(box, stubbornFamily, { timeoutMs: 400 });
  expect(Date.now() - startedMs).toBeLessThan(1400);
  expect(result).toMatchObject({ exitCode: -1, signal: 9, reason: "timeout" });
  expect(await countProcesses(box)).toBe(0);
});

test("SIGKILL ends the whole tree, and says that it was asked for", async () => {
  const exec = background(box, stubbornFamily);
  await waitUntil(async () => (await countProcesses(box)) >= 2, 2000);
  exec.kill();
  expect(await exec.exit).toMatchObject({ signal: 9, reason: "killed" });
  expect(await countProcesses(box)).toBe(0);
});

test("another signal goes to the program's process group, which may handle it", async () => {
  const script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
  const exec = box.connection.exec({ argv: ["sh", "-c", script] }, { onOutput: () => exec.kill(15) });
  expect(await exec.exit).toMatchObject({ exitCode: 7, signal: 0, reason: "exited" });
});

test("a signal for the whole tree reaches what fled the program's group and session", async () => {
  const script = `import os, signal, time
def ended(*_): os.write(1, b"ended\\n"); os._exit(0)
signal.signal(signal.SIGUSR1, ended)
if os.fork() == 0:
  os.setsid()
  if os.fork() == 0: pass
os.write(1, b"ready\\n")
while True: time.sleep(1)`;
  const seen: string[] = [];
  const onOutput = (_kind: string, bytes: Buffer) => void seen.push(...bytes.toString().trim().split("\n"));
  const exec = box.connection.exec({ argv: ["python3", "-c", script] }, { onOutput });
  await waitUntil(async () => seen.length === 3, 3000);
  exec.signalTree(10);
  expect(await exec.exit).toMatchObject({ exitCode: 0 });
  expect(seen.filter((line) => line === "ended")).toHaveLength(3);
  expect(await countProcesses(box)).toBe(0);
});

test("a background process survives a normal exit, and may go on writing", async () => {
  const startedMs = Date.now();
  const result = await shell(box, "(sleep 1.5; echo late; touch /tmp/survived) & echo now", { graceMs: 300 });
  expect(result).toMatchObject({ exitCode: 0, stdout: "now\n" });
  expect(Date.now() - startedMs).toBeGreaterThan(290);
  expect(Date.now() - startedMs).toBeLessThan(1200);
  await waitUntil(async () => (await shell(box, "test -e /tmp/survived")).exitCode === 0, 3000);
});

test("a background process that holds no pipe costs no grace", async () => {
  const startedMs = Date.now();
  await shell(box, "sleep 0.9 >/dev/null 2>&1 &");
  expect(Date.now() - startedMs).toBeLessThan(600);
  await waitUntil(async () => (await countProcesses(box)) === 0, 2000);
});

test("killOrphans ends what the program left, before the exit is reported", async () => {
  const script = "sleep 100 & setsid sleep 100 & exit 5";
  expect(await shell(box, script, { killOrphans: true })).toMatchObject({ exitCode: 5, reason: "exited" });
  expect(await countProcesses(box)).toBe(0);
});

test("the dead are buried: 300 double forks leave no zombie", async () => {
  const script = `import os
for _ in range(300):
  if os.fork() == 0:
    os.fork()
    os._exit(0)
  os.wait()`;
  expect((await python(box, script)).exitCode).toBe(0);
  await waitUntil(async () => (await shell(box, "ps -eo stat= | grep -c Z")).stdout === "0\n", 1000);
});

test("under a fork bomb an exec gets a result or a typed answer at once, and the bomb dies within a second", async () => {
  const bomb = background(box, forkBomb);
  await new Promise((resolve) => setTimeout(resolve, 700));
  for (let i = 0; i < 5; i++) {
    const startedMs = Date.now();
    const answer = await run(box.connection, ["true"], { timeoutMs: 2000 }).catch((cause: unknown) => cause);
    expect(answer).toSatisfy(
      (a: { code?: string; exitCode?: number }) => a.code === "noProcess" || a.exitCode !== undefined,
    );
    expect(Date.now() - startedMs).toBeLessThan(3000);
  }
  const killedMs = Date.now();
  bomb.kill();
  expect(await bomb.exit).toMatchObject({ reason: "killed" });
  expect(Date.now() - killedMs).toBeLessThan(1000);
  expect(await countProcesses(box)).toBe(0);
});

test("a timeout ends a fork bomb too", async () => {
  expect(await python(box, forkBomb, { timeoutMs: 500 })).toMatchObject({ reason: "timeout" });
  expect(await countProcesses(box)).toBe(0);
});

test("killing one exec leaves its siblings alone", async () => {
  const sibling = box.connection.exec({ argv: ["sleep", "0.5"] }, noSink);
  await shell(box, "sleep 100 & sleep 100", { timeoutMs: 100 });
  expect(await sibling.exit).toMatchObject({ exitCode: 0 });
});
