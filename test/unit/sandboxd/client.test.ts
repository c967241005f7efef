import { createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import {
  exitReason,
  fieldTag,
  frameType,
  protocolOldestVersion,
  protocolVersion,
  streamWindowBytes,
} from "#contract/sandboxd";
import { FieldWriter } from "#host/sandboxd/fields";
import { listenForSandboxd } from "#host/sandboxd/listen";
import { hello, meet, memberId } from "../../support/sandboxd-peer.ts";

const exited = () =>
  new FieldWriter()
    .put(fieldTag.exitCode, Buffer.from([3, 0, 0, 0]))
    .putUint(fieldTag.signal, 0, 4)
    .putUint(fieldTag.reason, exitReason.exited, 2)
    .putUint(fieldTag.durationMicros, 42, 8)
    .finish();

test("a sandboxd of an older generation is met in its own, one from nowhere is not", async () => {
  const ofVersion = (version: number) => () => hello(version);
  const { connection } = await meet(ofVersion(protocolOldestVersion));
  expect(connection.hello.version).toBe(protocolOldestVersion);
  for (const version of [protocolOldestVersion - 1, protocolVersion + 1])
    await expect(meet(ofVersion(version))).rejects.toMatchObject({ code: "protocol" });
});

test("an exec ends with what sandboxd said", async () => {
  const { peer, connection } = await meet();
  const output: string[] = [];
  const exec = connection.exec(
    { argv: ["x"] },
    { onOutput: (kind, bytes) => void output.push(`${kind}:${bytes}`) },
  );
  peer.send(frameType.stdout, 1, Buffer.from("a"));
  peer.send(frameType.stderr, 1, Buffer.from("b"));
  peer.send(frameType.exit, 1, exited());
  expect(await exec.exit).toEqual({ exitCode: 3, signal: 0, reason: "exited", durationMicros: 42 });
  expect(output).toEqual(["stdout:a", "stderr:b"]);
});

test("every promise settles with `closed` when the connection ends", async () => {
  const { peer, connection } = await meet();
  const exec = connection.exec({ argv: ["x"], stdin: true }, { onOutput() {} });
  const all = [
    exec.exit,
    exec.write(Buffer.alloc(2 * streamWindowBytes)),
    connection.readFile({ path: "/x" }),
    connection.ping(5000),
    connection.configure({ sandboxId: "a", generation: 1, key: randomBytes(32), env: {} }),
  ];
  const settled = Promise.allSettled(all);
  peer.socket.destroy();
  for (const result of await settled) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "closed" } });
  }
  expect((await connection.closed).code).toBe("closed");
  expect(connection.isOpen).toBe(false);
});

test.each([
  ["a frame on a stream that is not open", frameType.stdout, 7, Buffer.from("x")],
  ["a pong without its ping", frameType.pong, 0, Buffer.from("x")],
  ["a configured that nobody asked for", frameType.configured, 0, Buffer.alloc(0)],
  ["an exit without its fields", frameType.exit, 1, Buffer.alloc(0)],
  ["fields that are cut", frameType.exit, 1, Buffer.from([1, 0, 9])],
  ["credit beyond the window", frameType.credit, 1, Buffer.from([1, 0, 0, 0])],
  ["a file's frame on an exec", frameType.data, 1, Buffer.from("x")],
])("%s closes the connection as a protocol error", async (_what, type, stream, payload) => {
  const { peer, connection } = await meet();
  const exec = connection.exec({ argv: ["x"] }, { onOutput() {} });
  peer.send(type, stream, payload);
  expect((await connection.closed).code).toBe("protocol");
  await expect(exec.exit).rejects.toMatchObject({ code: "closed" });
});

test("output beyond the window closes the connection: a sink that never resolves holds one window at most", async () => {
  const { peer, connection } = await meet();
  connection.exec({ argv: ["x"] }, { onOutput: () => new Promise(() => {}) });
  for (let sent = 0; sent <= streamWindowBytes; sent += 65536)
    peer.send(frameType.stdout, 1, Buffer.alloc(65536));
  expect((await connection.closed).code).toBe("protocol");
});

test("a sink that throws ends its own exec only", async () => {
  const { peer, connection } = await meet();
  const sink = {
    onOutput() {
      throw new Error("full");
    },
  };
  const exec = connection.exec({ argv: ["x"] }, sink);
  peer.send(frameType.stdout, 1, Buffer.from("x"));
  peer.send(frameType.exit, 1, exited());
  await expect(exec.exit).rejects.toMatchObject({ code: "internal" });
  expect(connection.isOpen).toBe(true);
});

test("an upload whose body has stalled still hears that the connection ended", async () => {
  const { peer, connection } = await meet();
  async function* stalled() {
    yield Buffer.from("x");
    await new Promise(() => {});
  }
  const writing = connection.writeFile({ path: "/x" }, stalled());
  setTimeout(() => peer.socket.destroy(), 20);
  await expect(writing).rejects.toMatchObject({ code: "closed" });
});

/** The facts of a file of this size. */
function statOf(size: number): Buffer {
  const stat = new FieldWriter().putUint(fieldTag.size, size, 8);
  for (const tag of ["mode", "uid", "gid"] as const) stat.putUint(fieldTag[tag], 1, 4);
  return stat.putUint(fieldTag.mtimeMs, 1, 8).put(fieldTag.revision, Buffer.alloc(24)).finish();
}

test.each([
  ["one byte short", [4, 4], false],
  ["as long as was said", [4, 5], true],
  ["one byte longer", [4, 6], false],
])(
  "a short file that is %s comes in one piece or not at all",
  async (_what, [first = 0, second = 0], isWhole) => {
    const { peer, connection } = await meet();
    const reading = connection.readWhole("/x", 9);
    peer.send(frameType.fileStat, 1, statOf(9));
    peer.send(frameType.data, 1, Buffer.alloc(first, "a"));
    peer.send(frameType.data, 1, Buffer.alloc(second, "b"));
    peer.send(frameType.end, 1);
    if (isWhole) expect(await reading).toMatchObject({ bytes: new Uint8Array(Buffer.from("aaaabbbbb")) });
    else await expect(reading).rejects.toMatchObject({ code: "io" });
    // The connection goes on, whatever was on its way.
    const exec = connection.exec({ argv: ["x"] }, { onOutput() {} });
    peer.send(frameType.exit, 2, exited());
    expect((await exec.exit).exitCode).toBe(3);
  },
);

test("a file that is longer than a short one comes as a stream", async () => {
  const { peer, connection } = await meet();
  const reading = connection.readWhole("/x", 9);
  peer.send(frameType.fileStat, 1, statOf(10));
  const read = await reading;
  if ("bytes" in read) throw new Error("It came in one piece.");
  peer.send(frameType.data, 1, Buffer.alloc(10));
  peer.send(frameType.end, 1);
  expect((await new Response(read.body).arrayBuffer()).byteLength).toBe(10);
});

test("a short file whose sandbox dies half-way is not there", async () => {
  const { peer, connection } = await meet();
  const reading = connection.readWhole("/x", 9);
  peer.send(frameType.fileStat, 1, statOf(9));
  peer.send(frameType.data, 1, Buffer.alloc(4));
  setTimeout(() => peer.socket.destroy(), 20);
  await expect(reading).rejects.toMatchObject({ code: "closed" });
});

test("a cancelled read may still be sent what was on its way", async () => {
  const { peer, connection } = await meet();
  const reading = connection.readFile({ path: "/x" });
  peer.send(frameType.fileStat, 1, statOf(1));
  const { body } = await reading;
  await body.cancel();
  peer.send(frameType.data, 1, Buffer.alloc(1000));
  peer.send(frameType.end, 1);
  const exec = connection.exec({ argv: ["x"] }, { onOutput() {} });
  peer.send(frameType.exit, 2, exited());
  expect((await exec.exit).exitCode).toBe(3);
});

const expected = { sandboxId: "a0box", generation: 4, key: randomBytes(32) };
function proven(nonce: Buffer, key: Buffer): FieldWriter {
  const proof = createHmac("sha256", key).update(nonce).update(memberId).update("a0box").digest();
  return hello()
    .put(fieldTag.sandboxId, "a0box")
    .putUint(fieldTag.generation, 4, 4)
    .put(fieldTag.proof, proof);
}

test("a sandbox that proves itself is met again", async () => {
  const { connection } = await meet((nonce) => proven(nonce, expected.key), { expect: expected });
  expect(connection.hello).toEqual({ memberId, version: protocolVersion, sandboxId: "a0box", generation: 4 });
});

test.each([
  ["another key", (nonce: Buffer) => proven(nonce, randomBytes(32))],
  ["a replayed proof", () => proven(Buffer.alloc(32), expected.key)],
])("%s is no proof", async (_what, answer) => {
  await expect(meet(answer, { expect: expected })).rejects.toMatchObject({ code: "proof" });
});

test("a sandbox that was never configured is not the one of the lease", async () => {
  await expect(meet(() => hello(), { expect: expected })).rejects.toMatchObject({ code: "proof" });
});

test("nobody comes: the listener gives up at its deadline", async () => {
  const folder = mkdtempSync(`${tmpdir()}/sgd-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const listening = listenForSandboxd({ socketPath: `${folder}/sock`, memberId, deadlineMs: 30 });
  await expect(listening).rejects.toMatchObject({ code: "deadline" });
});
