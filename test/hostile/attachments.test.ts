import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { ProcessRequest } from "#contract/process";
import { type Attachment, attach, attachUrl } from "../support/attach.ts";
import { mustOpen } from "../support/websocket.ts";
import { api, type Box, newBox, target } from "./support.ts";

const pty = { cols: 80, rows: 24 };
const rssMiB = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
const programs = () => [target.pids.agentHost, target.pids.controlPlane];

async function started(request: ProcessRequest): Promise<{ box: Box; id: string }> {
  const box = await newBox();
  return { box, id: (await api.start(box.id, request)).id };
}

/** Whatever a client does, the process goes on and the next client has it. */
async function expectUnharmed(box: Box, id: string): Promise<Attachment> {
  expect(await api.process(box.id, id)).toMatchObject({ state: "running" });
  expect((await box.exec("echo usable")).stdout).toBe("usable\n");
  const next = await attach(api, box.id, id);
  await next.told("attached");
  return next;
}

test.each<[string, (client: Attachment) => void, number]>([
  ["is no JSON", ({ socket }) => socket.send("resize 80 24"), 4400],
  ["is no command", ({ socket }) => socket.send('{"type":"resize","cols":0,"rows":1e99}'), 4400],
  ["has what no command has", ({ socket }) => socket.send('{"type":"eof","__proto__":{}}'), 4400],
  ["names no signal of ours", ({ socket }) => socket.send('{"type":"signal","signal":"SIGSEGV"}'), 4400],
  ["never ends", ({ socket }) => socket.send("[".repeat(100_000)), 4413],
  ["is of bytes that are no text", ({ socket }) => socket.send(Buffer.from([0xff]), { binary: false }), 1007],
])("a message that %s ends its client, and nothing else", async (_what, send, code) => {
  const { box, id } = await started({ command: ["cat"], pty });
  const client = await attach(api, box.id, id);
  send(client);
  expect((await client.closed).code).toBe(code);
  if (code > 4_000) expect((await client.told("error")).problem.status).toBe(code - 4_000);
  (await expectUnharmed(box, id)).socket.terminate();
});

test.each<[string, Buffer, number]>([
  ["too long", Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4]), 1009],
  ["longer than any number", Buffer.from([0x82, 0xff, ...Array(8).fill(0xff), 1, 2, 3, 4]), 1009],
  ["not masked", Buffer.from([0x82, 0x01, 0x41]), 1002],
  ["of a kind that is not known", Buffer.from([0x8b, 0x80, 1, 2, 3, 4]), 1002],
  ["compressed, which nobody agreed on", Buffer.from([0xc2, 0x80, 1, 2, 3, 4]), 1002],
])("a frame that is %s is a closed connection", async (_what, frame, code) => {
  const { box, id } = await started({ command: ["cat"], pty });
  const url = attachUrl(api, box.id, id).replace("ws", "http");
  const raw = await mustOpen(url, { authorization: `Bearer ${api.key}` });
  raw.socket.write(frame);
  let message = await raw.receive();
  while (message.opcode !== 8) message = await raw.receive();
  expect(message.payload.readUInt16BE()).toBe(code);
  raw.socket.destroy();
  (await expectUnharmed(box, id)).socket.terminate();
});

test("ten thousand sizes and signals make the last size, and cost nobody anything", async () => {
  const { box, id } = await started({ command: ["cat"], pty });
  const client = await attach(api, box.id, id);
  const before = programs().map(rssMiB);
  for (let i = 0; i < 10_000; i++) {
    client.command({ type: "resize", cols: 1 + (i % 999), rows: 1 + (i % 99) });
    client.command({ type: "signal", signal: "SIGWINCH", tree: true });
  }
  client.command({ type: "resize", cols: 123, rows: 45 });
  // Held up to a bounded number a second, while others are served.
  expect((await box.exec("echo usable")).stdout).toBe("usable\n");
  const size = async () => (await api.process(box.id, id)).pty;
  await expect.poll(size, { timeout: 50_000 }).toEqual({ cols: 123, rows: 45 });
  for (const [i, mib] of programs().map(rssMiB).entries()) expect(mib - (before[i] ?? 0)).toBeLessThan(50);
  client.type("still here\n");
  await client.see(/still here\r\n/);
  client.socket.terminate();
});

test("a client that stops reading holds up the program, in bounded memory", async () => {
  const { box, id } = await started({
    command: "i=0; while :; do head -c 65536 /dev/zero; i=$((i+1)); echo $i >/tmp/progress; done",
  });
  const before = programs().map(rssMiB);
  const client = await attach(api, box.id, id);
  await client.told("attached");
  client.socket.pause();
  const progress = async () => Number((await box.exec("cat /tmp/progress")).stdout);
  let held = -1;
  const isHeld = async () => {
    const former = held;
    held = await progress();
    return held === former;
  };
  // The kernel's buffers grow for a while.
  await expect.poll(isHeld, { timeout: 20_000, interval: 1_000 }).toBe(true);
  // What sockets on the way hold, and the ring.
  expect(held * 65_536).toBeLessThan(64 * 1024 * 1024);
  for (const [i, mib] of programs().map(rssMiB).entries()) expect(mib - (before[i] ?? 0)).toBeLessThan(50);
  client.socket.resume();
  await expect.poll(progress, { timeout: 10_000 }).toBeGreaterThan(held + 100);
  client.socket.terminate();
});

test("a client that sends what the process does not read is held up, in bounded memory", async () => {
  const { box, id } = await started({ command: "sleep 300", stdin: true });
  const client = await attach(api, box.id, id);
  const before = programs().map(rssMiB);
  for (let i = 0; i < 640; i++) client.type(Buffer.alloc(100_000));
  await sleep(2_000);
  // Of 64 MB, what sockets on the way hold has gone.
  expect(client.socket.bufferedAmount).toBeGreaterThan(32_000_000);
  for (const [i, mib] of programs().map(rssMiB).entries()) expect(mib - (before[i] ?? 0)).toBeLessThan(50);
  client.socket.terminate();
  (await expectUnharmed(box, id)).socket.terminate();
});

test("clients that vanish end nothing, and the newest has the process", async () => {
  const { box, id } = await started({ command: ["cat"], pty });
  for (let i = 0; i < 50; i++) (await attach(api, box.id, id)).socket.terminate();
  const older = await attach(api, box.id, id);
  await older.told("attached");
  const newer = await expectUnharmed(box, id);
  expect((await older.told("error")).problem.code).toBe("conflict");
  expect(await older.closed).toEqual({ code: 4409, reason: "conflict" });
  newer.type("mine\n");
  await newer.see(/mine\r\n/);
  await api.delete(box.id);
  expect((await newer.told("error")).problem.code).toBe("sandbox_ended");
  expect((await newer.closed).code).toBe(4410);
});

test("input and sizes for what takes none are typed refusals", async () => {
  const { box, id } = await started({ command: "sleep 300" });
  const deaf = await attach(api, box.id, id);
  deaf.type("x");
  expect((await deaf.told("error")).problem.code).toBe("input_closed");
  const flat = await attach(api, box.id, id);
  flat.command({ type: "resize", cols: 80, rows: 24 });
  expect((await flat.told("error")).problem.code).toBe("not_a_terminal");
});
