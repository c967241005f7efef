import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { ProcessRequest } from "#contract/process";
import { bytesOf, collect } from "../support/events.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
let box: string;
beforeAll(async () => {
  stack = await testStack();
  ({ id: box } = await stack.api.create());
});
afterAll(() => stack?.dispose());

const pty = { cols: 80, rows: 24 };
const ctrl = (letter: string) => String.fromCharCode(letter.charCodeAt(0) - 64);

/** A process with a terminal, and somebody in front of it. */
async function sitDown(request: Partial<ProcessRequest> = {}) {
  const { id } = await stack.api.start(box, { command: ["bash", "--norc", "--noprofile"], pty, ...request });
  onTestFinished(() => stack.api.killProcess(box, id).catch(() => undefined));
  const stream = await stack.api.attach(box, id);
  let seen = "";
  const type = (text: string) => stack.api.input(box, id, text);
  /** Reads on until what is shown matches; what comes after it is for the next call. */
  async function see(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(seen);
      if (match) {
        const before = seen.slice(0, match.index + match[0].length);
        seen = seen.slice(before.length);
        return before;
      }
      const { value, done } = await stream.events.next();
      if (done || value.event !== "stdout") throw new Error(`It ended after ${JSON.stringify(seen)}.`);
      seen += bytesOf(value.data).toString();
    }
  }
  return { id, type, see, stream };
}

test("an interactive shell: it has a terminal, echoes what is typed, and knows its size and its kind", async () => {
  const { type, see } = await sitDown();
  await see(/\$ $/);
  await type("tty; stty size; echo $TERM; test -t 0 -a -t 1 -a -t 2 && echo all three\n");
  const shown = await see(/\nall three\r\n/);
  expect(shown).toContain("tty; stty size");
  expect(shown).toMatch(/\/dev\/pts\/\d+\r\n24 80\r\nxterm-256color\r\n/);
  await type("(exec > $(tty); echo by its name; id -un < /dev/tty)\n");
  await see(/by its name\r\nuser\r\n/);
});

test("Ctrl-C interrupts what runs in front and not the shell, Ctrl-Z stops it, and fg brings it back", async () => {
  const { type, see } = await sitDown();
  await see(/\$ $/);
  await type("sleep 300\n");
  await see(/sleep 300\r\n/);
  await type(ctrl("C"));
  await see(/\^C/);
  await type("echo after=$?\n");
  await see(/after=130\r\n/);
  await type("sleep 301\n");
  await see(/sleep 301\r\n/);
  await type(ctrl("Z"));
  await see(/Stopped.*sleep 301/);
  await type("jobs; fg\n");
  await see(/sleep 301\r\n.*sleep 301\r\n/s);
  await type(ctrl("C"));
  await type("echo done=$?\n");
  await see(/done=130\r\n/);
});

test("a program that asks for nothing has the terminal as its controlling one, and Ctrl-C ends it", async () => {
  const program =
    "import os; os.open('/dev/tty', os.O_RDWR | os.O_NOCTTY); print(os.tcgetpgrp(0) == os.getpid())";
  const asked = await sitDown({ command: ["python3", "-c", program] });
  await asked.see(/True\r\n/);
  const { type, stream } = await sitDown({ command: ["sleep", "300"] });
  await type(ctrl("C"));
  expect((await collect(stream.events)).last.json).toMatchObject({ exitCode: 130, signal: 2 });
});

test("a resize reaches the program that runs in front", async () => {
  const { id, type, see } = await sitDown();
  await see(/\$ $/);
  await stack.api.write(
    box,
    "resized.py",
    `import os, signal, time
signal.signal(signal.SIGWINCH, lambda *_: print(os.get_terminal_size(), flush=True))
print("ready", flush=True)
while True: time.sleep(0.1)`,
  );
  await type("python3 resized.py\n");
  await see(/ready\r\n/);
  await stack.api.resize(box, id, { cols: 133, rows: 51 });
  await see(/columns=133, lines=51/);
  expect(await stack.api.process(box, id)).toMatchObject({ pty: { cols: 133, rows: 51 } });
});

test("raw mode: a full-screen program gets every key as it is typed, and nothing is echoed", async () => {
  const program = `
import sys, tty, os
tty.setraw(0)
os.write(1, b"\\x1b[2J\\x1b[Hready")
got = b""
while not got.endswith(b"q"):
    got += os.read(0, 100)
os.write(1, b"\\x1b[10;1H" + got.hex().encode() + b".")`;
  const { type, see, stream } = await sitDown({ command: ["python3", "-c", program] });
  await see(/\[2J.\[Hready/);
  await type(`\x1b[A${ctrl("C")}${ctrl("D")}${ctrl("Z")}\r\x7f`);
  await type("éq");
  expect(await see(/\[10;1H[0-9a-f]+\./)).toBe("\x1b[10;1H1b5b4103041a0d7fc3a971.");
  expect((await collect(stream.events)).last.json).toMatchObject({ exitCode: 0 });
});

test("the end of input is typed, and the shell leaves by it", async () => {
  const { id, see, stream } = await sitDown();
  await see(/\$ $/);
  await stack.api.input(box, id, "echo bye\n", "?close=true");
  await see(/bye\r\n/);
  expect((await collect(stream.events)).last.json).toMatchObject({ exitCode: 0, endReason: "exited" });
});

test("when its shell is gone, a terminal hangs up: what ran in front is told, and cannot hold the end", async () => {
  const { id, type, see, stream } = await sitDown();
  await see(/\$ $/);
  await stack.api.write(
    box,
    "front.sh",
    "trap 'touch /tmp/hung-up' HUP; echo in front; while :; do sleep 0.1; done",
  );
  await type("bash front.sh\n");
  await see(/in front\r\n/);
  const { pid } = await stack.api.process(box, id);
  await stack.api.exec(box, ["kill", "-9", String(pid)]);
  const startedMs = performance.now();
  expect((await collect(stream.events)).last.json).toMatchObject({ signal: 9 });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  await expect.poll(async () => (await stack.api.exec(box, "test -e /tmp/hung-up")).exitCode).toBe(0);
  await stack.api.exec(box, "pkill -9 -f front.sh");
});

test("leaving a terminal ends nothing, and who comes back sees what was shown meanwhile", async () => {
  const first = await sitDown();
  await first.see(/\$ $/);
  await first.type("sleep 0.5; echo meanwhile\n");
  await first.see(/echo meanwhile\r\n/);
  first.stream.disconnect();
  await first.type("echo again\n");
  const { events } = await stack.api.attach(box, first.id);
  let shown = "";
  while (shown.split("again\r\n").length < 3)
    shown += bytesOf((await events.next()).value?.data ?? "").toString();
  expect(shown).toMatch(/echo meanwhile\r\n[\s\S]*meanwhile\r\n/);
});

test("sizes that no terminal has are refused, and so is a resize of what has no terminal", async () => {
  for (const size of [{ cols: 0, rows: 1 }, { cols: 1, rows: 1_001 }, { cols: 1.5, rows: 1 }, { cols: 80 }]) {
    const answer = await stack.api.call("POST", `/v1/sandboxes/${box}/processes`, {
      command: "true",
      pty: size,
    });
    await expectProblem(answer, 400, "invalid_request");
  }
  const { id } = await stack.api.start(box, { command: "sleep 300" });
  const path = `/v1/sandboxes/${box}/processes/${id}`;
  await expectProblem(await stack.api.call("POST", `${path}/resize`, pty), 409, "not_a_terminal");
  await stack.api.killProcess(box, id);
  await expectProblem(await stack.api.call("POST", `${path}/resize`, pty), 409, "process_ended");
});

test("a terminal carries any bytes out, and a program that prints without end waits for its reader", async () => {
  // Once there is a reader: what is printed before is kept only up to its newest MiB.
  const { id, stream, see, type } = await sitDown({
    command:
      "stty raw -echo; printf ready; head -c 1 > /dev/null; printf '\\377\\376\\0x'; yes | head -c 3000000",
    outputEncoding: "base64",
  });
  await see(/^ready$/);
  await type("x");
  const { stdout, last } = await collect(stream.events);
  expect(stdout.subarray(0, 4)).toEqual(Buffer.from([0xff, 0xfe, 0, 0x78]));
  expect(stdout.length).toBe(3_000_004);
  expect(last.json).toMatchObject({ exitCode: 0, truncated: { stdout: false } });
  expect(await stack.api.process(box, id)).toMatchObject({ state: "ended" });
});
