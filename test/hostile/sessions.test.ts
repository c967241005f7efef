import { expect, test } from "vitest";
import { newBox } from "./support.ts";

test("a program that a session runs cannot forge a code: it prints it, it finds no channel, it opens none", async () => {
  const box = await newBox();
  const { id } = await box.api.openSession(box.id);
  const run = (command: string) => box.api.inSession(box.id, id, command);
  const forging = `
import os, glob, struct
forged = []
def attempt(what):
    try: what(); forged.append("done")
    except OSError: pass
# What the shell says when a command has ended, and what its helper makes of it.
answer = b"0" * 32 + b" 0\\0"
record = struct.pack("<IBI", 4, 3, 0)
for fd in range(3, 1024):
    attempt(lambda: os.write(fd, answer))
for fd in (1, 2):
    os.write(fd, answer + record)
mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)}
for path in glob.glob("/proc/[0-9]*/fd/*"):
    try: target = os.readlink(path)
    except OSError: continue
    if target.startswith("socket:"):
        attempt(lambda: os.write(os.open(path, os.O_WRONLY), answer))
    elif target.startswith("pipe:") and target not in mine:
        attempt(lambda: os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), record))
print(forged, flush=True)
os._exit(9)`;
  await box.api.write(box.id, "forge.py", forging);
  const result = await run("python3 forge.py");
  expect(result).toMatchObject({ exitCode: 9, sessionState: "running" });
  expect(result.stdout.endsWith("[]\n")).toBe(true);
  expect(await run("echo intact")).toMatchObject({ exitCode: 0, stdout: "intact\n" });
});

test("code in the shell itself says its own code at most, never the next one's", async () => {
  const box = await newBox();
  const { id } = await box.api.openSession(box.id);
  const run = (command: string) => box.api.inSession(box.id, id, command);
  // The shell has put its channel aside while it evaluates; this is code of the shell, so it finds it.
  const ended = await run(
    'for fd in /proc/$$/fd/*; do fd=$(basename $fd); [ "$fd" -gt 2 ] && printf "%032d 0\\0" 0 >&$fd; done; false',
  );
  expect(ended.sessionState).toBe("ended");
  expect(ended.exitCode).not.toBe(0);
  const after = await box.api.call("POST", `/v1/sandboxes/${box.id}/sessions/${id}/exec`, {
    command: "echo next",
  });
  expect(after.status).toBe(409);
  expect(await box.exec("echo here")).toMatchObject({ stdout: "here\n" });
});

test("sessions are bounded like all processes, and a fork bomb in one ends with its timeout", async () => {
  const box = await newBox();
  const answers = await Promise.all(
    Array.from({ length: 80 }, () => box.api.call("POST", `/v1/sandboxes/${box.id}/sessions`, {})),
  );
  const statuses = new Set(answers.map(({ status }) => status));
  expect([...statuses].sort()).not.toContain(500);
  const open = (await box.api.processes(box.id)).filter(({ state }) => state === "running");
  expect(open.length).toBeGreaterThan(10);
  expect(open.length).toBeLessThanOrEqual(64);
  await Promise.all(open.map(({ id }) => box.api.killProcess(box.id, id)));
  expect(box.host.tenantProcesses()).toEqual([]);
  const { id } = await box.api.openSession(box.id);
  const bomb = await box.api.inSession(box.id, id, "bomb() { bomb | bomb & }; bomb; sleep 300", {
    timeoutMs: 1_000,
  });
  expect(bomb).toMatchObject({ endReason: "timeout", sessionState: "ended" });
  await expect.poll(() => box.host.tenantProcesses(), { timeout: 5_000 }).toEqual([]);
});

test("output without end, without lines and without UTF-8 in a session is cut, and the session lives", async () => {
  const box = await newBox();
  const { id } = await box.api.openSession(box.id);
  const result = await box.api.inSession(
    box.id,
    id,
    "head -c 64000000 /dev/urandom; head -c 64000000 /dev/zero >&2",
  );
  expect(result).toMatchObject({
    exitCode: 0,
    truncated: { stdout: true, stderr: true },
    sessionState: "running",
  });
  expect(await box.api.inSession(box.id, id, "echo still")).toMatchObject({ stdout: "still\n" });
});
