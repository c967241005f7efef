import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { fieldTag, frameType, MemberId, protocolOldestVersion, protocolVersion } from "#contract/sandboxd";
import { createConnection, type Hello, Questions, type SandboxdConnection } from "#host/sandboxd/connection";
import { SandboxdError } from "#host/sandboxd/error";
import { Fields, FieldWriter } from "#host/sandboxd/fields";
import { type Frame, violation } from "#host/sandboxd/frames";
import { Link } from "#host/sandboxd/link";

export type ListenOptions = {
  socketPath: string;
  memberId: string;
  /** What a configured sandboxd must prove to be; without it, its hello is only reported. */
  expect?: { sandboxId: string; generation: number; key: Buffer };
  deadlineMs: number;
};

/**
 * Listens on the socket (mode 0600, a stale file removed) until one connection has completed challenge and hello,
 * then closes the listener and unlinks the socket. A connection that ends before its hello may dial again.
 * @throws SandboxdError `deadline`, `proof` or `protocol`
 */
export function listenForSandboxd(options: ListenOptions): Promise<SandboxdConnection> {
  const { socketPath, deadlineMs } = options;
  return new Promise((resolve, reject) => {
    const greeting = new Set<Socket>();
    const server = createServer((socket) => {
      // There is one sandboxd: a crowd at this door is not it.
      if (greeting.size >= 4) {
        socket.destroy();
        return;
      }
      greeting.add(socket);
      greet(socket, options).then(
        (connection) => finish(socket, () => resolve(connection)),
        (cause: SandboxdError) => {
          greeting.delete(socket);
          if (cause.code !== "closed") finish(undefined, () => reject(cause));
        },
      );
    });
    let isFinished = false;
    const finish = (winner: Socket | undefined, settle: () => void) => {
      if (isFinished) {
        winner?.destroy();
        return;
      }
      isFinished = true;
      clearTimeout(timer);
      server.close();
      rmSync(socketPath, { force: true });
      for (const socket of greeting) if (socket !== winner) socket.destroy();
      settle();
    };
    const late = new SandboxdError("deadline", `sandboxd did not greet within ${deadlineMs} ms.`);
    const timer = setTimeout(() => finish(undefined, () => reject(late)), deadlineMs);
    server.on("error", (cause) =>
      finish(undefined, () =>
        reject(new SandboxdError("internal", `Cannot listen on ${socketPath}.`, { cause })),
      ),
    );
    rmSync(socketPath, { force: true });
    server.listen(socketPath, () => chmodSync(socketPath, 0o600));
  });
}

async function greet(socket: Socket, options: ListenOptions): Promise<SandboxdConnection> {
  const nonce = randomBytes(32);
  const questions = new Questions();
  let onHello: ((frame: Frame) => void) | undefined;
  const link = new Link(socket, (frame) => {
    if (onHello !== undefined) onHello(frame);
    else questions.onFrame(frame);
  });
  const hello = new Promise<Hello>((resolve, reject) => {
    onHello = (frame) => {
      onHello = undefined;
      try {
        resolve(decodeHello(frame, nonce, options));
      } catch (cause) {
        reject(cause);
        throw cause;
      }
    };
    void link.closed.then(reject);
  });
  const challenge = new FieldWriter()
    .putUint(fieldTag.version, protocolOldestVersion, 2)
    .putUint(fieldTag.newestVersion, protocolVersion, 2)
    .put(fieldTag.nonce, nonce)
    .finish();
  link.send(frameType.challenge, 0, challenge);
  return createConnection(link, questions, await hello);
}

function decodeHello(frame: Frame, nonce: Buffer, options: ListenOptions): Hello {
  if (frame.type !== frameType.hello) throw violation("the first frame is no hello");
  const fields = new Fields(frame.payload);
  const version = fields.uint16(fieldTag.version);
  if (version < protocolOldestVersion || version > protocolVersion)
    throw violation(`version ${version}, which nobody asked for`);
  const memberId = fields.text(fieldTag.memberId, 8);
  if (!MemberId.safeParse(memberId).success || memberId !== options.memberId)
    throw violation("another member's hello");
  const hello: Hello = { memberId, version };
  if (fields.has(fieldTag.sandboxId)) {
    hello.sandboxId = fields.text(fieldTag.sandboxId, 128);
    hello.generation = fields.uint32(fieldTag.generation);
  }
  if (options.expect !== undefined) checkProof(fields, hello, nonce, options.expect);
  return hello;
}

function checkProof(
  fields: Fields,
  hello: Hello,
  nonce: Buffer,
  expect: NonNullable<ListenOptions["expect"]>,
): void {
  const mac = createHmac("sha256", expect.key).update(nonce).update(hello.memberId).update(expect.sandboxId);
  const isProven =
    hello.sandboxId === expect.sandboxId &&
    hello.generation === expect.generation &&
    timingSafeEqual(mac.digest(), fields.bytes(fieldTag.proof, 32));
  if (!isProven) throw new SandboxdError("proof", "The sandbox is not the one that its lease names.");
}
