import { afterAll, beforeAll, expect, test } from "vitest";
import { SandboxdError } from "#host/sandboxd/error";
import { type Box, background, countProcesses, noSink, run, startBox } from "./harness.ts";

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box?.remove());

// SIGSTOP first: it may meet a sibling between setresuid and execve, where nothing but the daemon can free it.
const loop = (signals: string) => `import os, signal
while True:
  for pid, number in (${signals}):
    try: os.kill(pid, number)
    except OSError: pass`;

const loops = {
  "kill -STOP -1": loop("(-1, 19),"),
  "kill -9 -1": loop("(-1, 9),"),
  "kill -9 1; kill -9 -1; kill -STOP -1": loop("(1, 9), (-1, 19), (-1, 19), (-1, 9)"),
};

async function fateOfTrue(): Promise<string> {
  try {
    return (await box.connection.exec({ argv: ["/bin/true"], timeoutMs: 300 }, noSink).exit).reason;
  } catch (cause) {
    if (cause instanceof SandboxdError) return cause.code;
    throw cause;
  }
}

test.each(Object.entries(loops))(
  "while a tenant loops `%s`, every exec ends and the daemon lives",
  async (_what, script) => {
    const attacker = background(box, script);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const fates = new Set<string>();
    let left = 170;
    const runner = async () => {
      while (left-- > 0) fates.add(await fateOfTrue());
    };
    await Promise.all(Array.from({ length: 8 }, runner));
    for (const fate of fates) expect(["exited", "signaled", "timeout", "spawnInterrupted"]).toContain(fate);
    await box.connection.ping(1000);
    attacker.kill();
    expect(await attacker.exit).toMatchObject({ reason: "killed" });
    expect(await countProcesses(box)).toBe(0);
    expect((await run(box.connection, ["true"])).exitCode).toBe(0);
  },
);

test("the daemon cannot be looked into, traced or signalled by its tenants", async () => {
  const script = `import os
def attempt(what):
  try: what(); return "done"
  except OSError as e: return e.__class__.__name__
parents = [1, os.getppid()]
for pid in parents:
  print(attempt(lambda: os.kill(pid, 9)), attempt(lambda: open(f"/proc/{pid}/mem", "rb").read(1)),
    attempt(lambda: os.listdir(f"/proc/{pid}/fd")), attempt(lambda: open(f"/proc/{pid}/environ").read()))
print(attempt(lambda: os.listdir("/run/sandgate")))`;
  const { stdout } = await run(box.connection, ["python3", "-c", script]);
  expect(stdout.trim().split(/\s+/)).toEqual(Array(9).fill("PermissionError"));
});

test("a tenant that steals its own output from the pipe does not block the daemon", async () => {
  const script = `import os
thief = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
for _ in range(20000):
  os.write(1, b"x" * 100)
  try: os.read(thief, 65536)
  except OSError: pass`;
  const exec = box.connection.exec({ argv: ["python3", "-c", script], timeoutMs: 10_000 }, noSink);
  await box.connection.ping(1000);
  expect((await exec.exit).reason).toBe("exited");
});

test("when memory ends it is the program that dies, not the daemon", async () => {
  const result = await run(box.connection, ["python3", "-c", "x = bytearray(10**9)"]);
  expect(result).toMatchObject({ exitCode: -1, signal: 9, reason: "signaled" });
  await box.connection.ping(1000);
});

test("a bomb whose every process leads a session of its own dies with its tree", async () => {
  const script = `import os
while True:
  try:
    if os.fork() == 0: os.setsid()
  except OSError: pass`;
  const result = await run(box.connection, ["python3", "-c", script], { timeoutMs: 700 });
  expect(result).toMatchObject({ reason: "timeout" });
  expect(await countProcesses(box)).toBe(0);
});
