import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { fieldTag, frameType, portWindowBytes } from "#contract/sandboxd";
import { createConnection, Questions, type SandboxdConnection } from "#host/sandboxd/connection";
import { FieldWriter } from "#host/sandboxd/fields";
import { encodeFrame } from "#host/sandboxd/frames";
import { Link } from "#host/sandboxd/link";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** A connection whose other end says whatever the test wants. */
async function meet(version = 3): Promise<{ peer: Socket; connection: SandboxdConnection; sent: Buffer[] }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const accepted = once(server, "connection");
  const socket = connect(address.port, "127.0.0.1");
  const [peer] = (await accepted) as [Socket];
  peer.on("error", () => undefined);
  const sent: Buffer[] = [];
  peer.on("data", (chunk: Buffer) => sent.push(chunk));
  cleanups.push(() => {
    socket.destroy();
    peer.destroy();
    server.close();
  });
  const link = new Link(socket, () => undefined);
  const hello = { memberId: "0a0b0c0d", version };
  return { peer, sent, connection: createConnection(link, new Questions(), hello) };
}
const request = { port: 80, timeoutMs: 1_000 };
const typesIn = (sent: Buffer[]) => {
  const bytes = Buffer.concat(sent);
  const types: number[] = [];
  for (let at = 0; at < bytes.length; at += 12 + bytes.readUInt32LE(at)) types.push(bytes.readUInt8(at + 4));
  return types;
};
const error = (code: number) =>
  new FieldWriter().putUint(fieldTag.errorCode, code, 2).put(fieldTag.message, "why").finish();

test("a sandboxd of an older generation is not asked for a port", async () => {
  const { connection, sent } = await meet(2);
  await expect(connection.connect(request)).rejects.toMatchObject({ code: "portUnknown" });
  expect(sent).toEqual([]);
  expect(connection.isOpen).toBe(true);
});

test.each([
  ["an end before it was opened", [frameType.end]],
  ["the close of one whose end has not come", [frameType.portOpened, frameType.portClosed]],
  ["two ends", [frameType.portOpened, frameType.end, frameType.end]],
  ["a frame of an exec", [frameType.portOpened, frameType.exit]],
])("%s closes the connection as a protocol error", async (_what, types) => {
  const { peer, connection } = await meet();
  const opening = connection.connect(request).catch(() => undefined);
  for (const type of types) peer.write(encodeFrame(type, 1, Buffer.alloc(0)));
  expect((await connection.closed).code).toBe("protocol");
  await opening;
});

test("more than the window closes the connection: a reader who reads nothing holds one window at most", async () => {
  const { peer, connection } = await meet();
  const opening = connection.connect(request);
  peer.write(encodeFrame(frameType.portOpened, 1, Buffer.alloc(0)));
  await opening;
  for (let sent = 0; sent <= 2 * portWindowBytes; sent += 65_536)
    peer.write(encodeFrame(frameType.data, 1, Buffer.alloc(65_536)));
  expect((await connection.closed).code).toBe("protocol");
});

test("a connection that is given up may still be sent what was on its way, its end and its close", async () => {
  const { peer, connection, sent } = await meet();
  const opening = connection.connect(request);
  peer.write(encodeFrame(frameType.portOpened, 1, Buffer.alloc(0)));
  (await opening).destroy();
  await expect.poll(() => typesIn(sent)).toContain(frameType.cancel);
  peer.write(encodeFrame(frameType.data, 1, Buffer.alloc(1_000)));
  for (const type of [frameType.end, frameType.portClosed]) peer.write(encodeFrame(type, 1, Buffer.alloc(0)));
  const refused = connection.connect(request);
  peer.write(encodeFrame(frameType.streamError, 2, error(32)));
  await expect(refused).rejects.toMatchObject({ code: "portRefused" });
  expect(connection.isOpen).toBe(true);
});

test("what was sent before a break is read before the break is told", async () => {
  const { peer, connection } = await meet();
  const opening = connection.connect(request);
  peer.write(encodeFrame(frameType.portOpened, 1, Buffer.alloc(0)));
  const stream = await opening;
  peer.write(encodeFrame(frameType.data, 1, Buffer.alloc(200_000, "x")));
  peer.write(encodeFrame(frameType.streamError, 1, error(34)));
  await new Promise((resolve) => setTimeout(resolve, 50));
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const [broken] = await once(stream, "error");
  expect([bytes, broken.code]).toEqual([200_000, "portReset"]);
});
