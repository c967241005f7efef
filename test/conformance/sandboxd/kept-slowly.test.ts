import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fieldTag, frameType, protocolOldestVersion, protocolVersion } from "#contract/sandboxd";
import { Fields, FieldWriter } from "#host/sandboxd/fields";
import { encodeFrame, type Frame, FrameDecoder } from "#host/sandboxd/frames";
import { type Box, noSink, startBox } from "./harness.ts";

// A host of our own that reads when the test says so: what is kept is more than all buffers on the way take.
let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box?.remove());

type RawHost = {
  socket: Socket;
  frames: Frame[];
  send(type: number, stream: number, payload?: Uint8Array): void;
};

async function rawHost(): Promise<RawHost> {
  const server = createServer();
  rmSync(box.socketPath, { force: true });
  server.listen(box.socketPath);
  const [socket] = (await once(server, "connection")) as [Socket];
  server.close();
  const frames: Frame[] = [];
  const decoder = new FrameDecoder();
  const send = (type: number, stream: number, payload: Uint8Array = Buffer.alloc(0)) =>
    void socket.write(encodeFrame(type, stream, payload));
  const challenge = new FieldWriter()
    .putUint(fieldTag.version, protocolOldestVersion, 2)
    .putUint(fieldTag.newestVersion, protocolVersion, 2)
    .put(fieldTag.nonce, randomBytes(32));
  send(frameType.challenge, 0, challenge.finish());
  socket.on("data", (chunk: Buffer) => frames.push(...decoder.push(chunk)));
  await expect.poll(() => frames.length).toBe(1);
  return { socket, frames, send };
}

const tagged = (tag: string) => new FieldWriter().put(fieldTag.tag, tag).finish();
const outputOf = (frames: Frame[]) =>
  Buffer.concat(frames.filter(({ type }) => type === frameType.stdout).map(({ payload }) => payload));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function startTagged(tag: string, script: string): Promise<void> {
  const argv = ["python3", "-uc", `import os, sys, time\n${script}`];
  await new Promise<void>((resolve, reject) => {
    const exec = box.connection.exec(
      { argv, tag, metadata: Buffer.alloc(0) },
      { ...noSink, onStarted: () => resolve() },
    );
    exec.exit.catch(reject);
  });
}

test("to a host that reads slowly, and dies half-way, everything is sent in its order, and the end behind it", async () => {
  // It has closed its output, so that its end can come while what was kept is still on its way.
  await startTagged(
    "ends",
    "os.write(1, b'e' * 1_000_000); os.close(1); os.close(2); time.sleep(2.5); sys.exit(6)",
  );
  const lines =
    "i = 0\nwhile i < 400_000: os.write(1, b''.join(b'%09d\\n' % n for n in range(i, i + 1000))); i += 1000; time.sleep(0.01)";
  await startTagged("goes-on", lines);
  await sleep(1_500);
  box.connection.close();
  const first = await rawHost();
  first.socket.pause();
  first.send(frameType.recall, 1, tagged("ends"));
  first.send(frameType.recall, 2, tagged("goes-on"));
  await sleep(200);
  first.socket.destroy();

  const second = await rawHost();
  second.socket.pause();
  second.send(frameType.recall, 7, tagged("ends"));
  await sleep(1_500);
  second.socket.resume();
  await expect.poll(() => second.frames.at(-1)?.type, { timeout: 10_000 }).toBe(frameType.exit);
  expect(second.frames.every(({ stream }, i) => stream === (i === 0 ? 0 : 7))).toBe(true);
  expect(new Fields(second.frames.at(-1)?.payload ?? Buffer.alloc(0)).int32(fieldTag.exitCode)).toBe(6);
  expect(outputOf(second.frames).equals(Buffer.alloc(1_000_000, "e"))).toBe(true);

  second.frames.length = 0;
  second.socket.pause();
  second.send(frameType.recall, 8, tagged("goes-on"));
  await sleep(300);
  second.socket.resume();
  const credit = Buffer.alloc(4);
  let granted = 0;
  for (let end = Date.now() + 20_000; second.frames.at(-1)?.type !== frameType.exit; await sleep(5)) {
    if (Date.now() > end) throw new Error("The exit did not come.");
    const more = outputOf(second.frames).length - granted;
    if (more === 0) continue;
    credit.writeUInt32LE(more);
    granted += more;
    second.send(frameType.credit, 8, Buffer.from(credit));
  }
  const output = outputOf(second.frames).toString();
  const numbers = output
    .slice(output.indexOf("\n") + 1)
    .trim()
    .split("\n")
    .map(Number);
  expect(numbers.at(-1)).toBe(399_999);
  expect(numbers.findIndex((number, i) => i > 0 && number !== (numbers[i - 1] ?? 0) + 1)).toBe(-1);
  expect(numbers.length).toBeGreaterThan(100_000);
  second.socket.destroy();
});
