import { expect, test } from "vitest";
import type { FileRead } from "#host/sandboxd/files";
import { readFileIn } from "#host/sandboxes/files";
import { reap } from "#host/sandboxes/reap";
import { hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();

/** A sandbox whose next file is said to have `size` bytes and sends what the test writes. */
async function reading(size: number) {
  const made = host();
  const { sandboxId } = await made.create({ idleSeconds: 10 });
  const live = made.registry.peek(sandboxId);
  if (!live) throw new Error("not live");
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const stat = { size, mode: 0o644, uid: 1, gid: 1, mtimeMs: 0, revision: "r" };
  live.member.connection.readWhole = async (): Promise<FileRead> => ({ stat, body: readable });
  const { body } = await readFileIn(made.deps, live, "/workspace/a", { isHead: false });
  if (!(body instanceof ReadableStream)) throw new Error("no stream");
  return { ...made, live, reader: body.getReader(), writer: writable.getWriter() };
}
const bytes = (count: number) => new Uint8Array(count);

test("a sandbox is not idle while somebody still reads a file from it", async () => {
  const { deps, live, clock, registry, leases, reader, writer } = await reading(2);
  void writer.write(bytes(1));
  await reader.read();
  clock.nowMs += 60_000;
  await reap(deps);
  expect(registry.size).toBe(1);
  void writer.write(bytes(1));
  void writer.close();
  expect((await reader.read()).done).toBe(false);
  expect((await reader.read()).done).toBe(true);
  expect([live.operations, live.lastActiveAtMs]).toEqual([0, clock.nowMs]);
  clock.nowMs += 11_000;
  await reap(deps);
  expect(leases.ends()).toMatchObject([{ endReason: "idle" }]);
});

test("a read that is given up, or breaks, counts no longer", async () => {
  const left = await reading(2);
  await left.reader.cancel();
  expect(left.live.operations).toBe(0);
  const broken = await reading(2);
  void broken.writer.abort(new Error("the sandbox died")).catch(() => undefined);
  await expect(broken.reader.read()).rejects.toThrow("died");
  expect(broken.live.operations).toBe(0);
});

test("a body that is longer or shorter than it was said to be breaks the answer", async () => {
  const longer = await reading(1);
  void longer.writer.write(bytes(2)).catch(() => undefined);
  await expect(longer.reader.read()).rejects.toThrow("another size");
  expect(longer.live.operations).toBe(0);
  const shorter = await reading(2);
  void shorter.writer.write(bytes(1));
  void shorter.writer.close();
  await shorter.reader.read();
  await expect(shorter.reader.read()).rejects.toThrow("another size");
});
