import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { onTestFinished } from "vitest";
import { fieldTag, frameHeaderBytes, frameType, protocolVersion } from "#contract/sandboxd";
import type { SandboxdConnection } from "#host/sandboxd/connection";
import { Fields, FieldWriter } from "#host/sandboxd/fields";
import { encodeFrame } from "#host/sandboxd/frames";
import { type ListenOptions, listenForSandboxd } from "#host/sandboxd/listen";

export type Asked = { type: number; stream: number; payload: Buffer };
/** A sandboxd that says whatever the test wants: what tenants might make of it. */
export type Peer = {
  socket: Socket;
  send(type: number, stream: number, payload?: Uint8Array): void;
  /** What the host has sent since the challenge. */
  asked: Asked[];
  /** Called with each of those. */
  onAsked: (frame: Asked) => void;
};

export const memberId = "0123abcd";
export const hello = (version = protocolVersion) =>
  new FieldWriter().putUint(fieldTag.version, version, 2).put(fieldTag.memberId, memberId);

/** A host's connection to such a one, gone when the test is over. */
export async function meet(
  answer: (nonce: Buffer) => FieldWriter = () => hello(),
  options: Partial<ListenOptions> = {},
): Promise<{ peer: Peer; connection: SandboxdConnection }> {
  const folder = mkdtempSync(`${tmpdir()}/sgd-`);
  const socketPath = `${folder}/sock`;
  const listening = listenForSandboxd({ socketPath, memberId, deadlineMs: 2000, ...options });
  listening.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 20));
  const socket = createConnection(socketPath);
  socket.on("error", () => {});
  onTestFinished(() => {
    socket.destroy();
    rmSync(folder, { recursive: true });
  });
  const send = (type: number, stream: number, payload: Uint8Array = Buffer.alloc(0)) =>
    socket.write(encodeFrame(type, stream, payload));
  const challenge = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
  const peer: Peer = { socket, send, asked: [], onAsked: () => undefined };
  socket.on("data", framesInto(peer));
  const nonce = new Fields(challenge.subarray(frameHeaderBytes)).bytes(fieldTag.nonce, 32);
  send(frameType.hello, 0, answer(nonce).finish());
  return { peer, connection: await listening };
}

function framesInto(peer: Peer): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= frameHeaderBytes) {
      const end = frameHeaderBytes + held.readUInt32LE(0);
      if (held.length < end) return;
      const payload = Buffer.from(held.subarray(frameHeaderBytes, end));
      const frame = { type: held.readUInt8(4), stream: held.readUInt32LE(8), payload };
      held = held.subarray(end);
      peer.asked.push(frame);
      peer.onAsked(frame);
    }
  };
}
