import fs, { appendFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newHostCode, newSandboxId } from "#contract/ids";
import { noQuantities } from "#contract/usage";
import { Outbox, type OutboxOptions } from "#host/usage/outbox";
import { keyOf, type Metered } from "#host/usage/record";

const sandboxId = newSandboxId(newHostCode());
const key = keyOf({ sandboxId, generation: 1 });
let folder = "";
let made: Outbox[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-outbox-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  for (const each of made) each.close();
  made = [];
  rmSync(folder, { recursive: true, force: true });
});

function open(over: Partial<OutboxOptions> = {}): Outbox {
  const outbox = new Outbox({
    hostFolder: folder,
    maxBytes: 1e9,
    log: pino({ level: "silent" }),
    ...over,
  });
  made.push(outbox);
  return outbox;
}

/** The n-th minute of a sandbox. */
function minute(sequence: number, isFinal = false): Metered {
  const elapsedMs = sequence * 60_000;
  return {
    event: {
      sandboxId,
      generation: 1,
      sequence,
      fromMs: elapsedMs - 60_000,
      toMs: elapsedMs,
      quantities: { ...noQuantities, cpuMs: sequence },
      isFinal,
    },
    state: { sequence, point: { elapsedMs, cpuMicros: sequence * 1000 }, isFinal, warnedCapMicros: 0 },
  };
}
const sequencesOf = (outbox: Outbox, max = 500) =>
  outbox.peek(max)?.events.map(({ sequence }) => sequence) ?? [];
const filesOf = () => readdirSync(join(folder, "usage")).filter((file) => file.endsWith(".log"));

test("what is written is there again after a crash, oldest first, with where each meter stands", () => {
  const before = open();
  expect(before.append([minute(1), minute(2)])).toBe(true);
  expect(before.append([minute(3)])).toBe(true);
  const after = open();
  expect(sequencesOf(after)).toEqual([1, 2, 3]);
  expect(after.pending).toBe(3);
  expect(after.stateOf(key)).toEqual(minute(3).state);
});

test("what is acknowledged is not sent again, also not by the next process", () => {
  const before = open();
  before.append([minute(1), minute(2), minute(3)]);
  const batch = before.peek(2);
  if (batch) before.acknowledge(batch);
  expect(sequencesOf(before)).toEqual([3]);
  const after = open();
  expect(sequencesOf(after)).toEqual([3]);
  expect(after.pending).toBe(1);
});

test("killed between the answer and noting it: the same events again, and no others", () => {
  const before = open();
  before.append([minute(1), minute(2)]);
  before.peek(1);
  // The answer came; nothing of it was written.
  expect(sequencesOf(open())).toEqual([1, 2]);
});

test("files are removed once all in them is acknowledged, and meters go on from where they stood", () => {
  const outbox = open({ segmentBytes: 2_000 });
  for (let n = 1; n <= 100; n++) outbox.append([minute(n)]);
  expect(filesOf().length).toBeGreaterThan(10);
  for (let batch = outbox.peek(500); batch; batch = outbox.peek(500)) outbox.acknowledge(batch);
  expect(filesOf().length).toBeLessThanOrEqual(2);
  expect(outbox.bytes).toBeLessThan(5_000);
  const after = open({ segmentBytes: 2_000 });
  expect(after.pending).toBe(0);
  expect(after.stateOf(key)).toEqual(minute(100).state);
});

test("a line that a crash has cut short, and one that somebody has damaged, cost nothing but themselves", () => {
  const before = open();
  before.append([minute(1)]);
  const [file = ""] = filesOf();
  appendFileSync(join(folder, "usage", file), 'nonsense\n{"event":{"sandboxId":"');
  const after = open();
  expect(after.append([minute(2)])).toBe(true);
  expect(sequencesOf(after)).toEqual([1, 2]);
  expect(sequencesOf(open())).toEqual([1, 2]);
});

test("beyond its bound no sandbox is to be handed out, but the end of one is still written", () => {
  const outbox = open({ maxBytes: 3_000 });
  let n = 0;
  while (outbox.hasRoom) outbox.append([minute(++n)]);
  expect(n).toBeGreaterThan(3);
  expect(outbox.append([minute(n + 1, true)])).toBe(true);
  expect(sequencesOf(outbox)).toHaveLength(n + 1);
  const batch = outbox.peek(500);
  if (batch) outbox.acknowledge(batch);
});

test("a full disk takes all of a write or nothing, and is used again when it has room", () => {
  const outbox = open();
  outbox.append([minute(1)]);
  const real = fs.writeSync;
  const disk = { roomBytes: 50 };
  // What a full disk does: it takes a part, and then nothing.
  vi.spyOn(fs, "writeSync").mockImplementation(((fd: number, bytes: Buffer, offset: number) => {
    if (disk.roomBytes === 0) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    const written = real(fd, bytes, offset, Math.min(disk.roomBytes, bytes.length - offset));
    disk.roomBytes -= written;
    return written;
  }) as typeof fs.writeSync);
  syncBuiltinESMExports();
  expect(outbox.append([minute(2)])).toBe(false);
  expect(outbox.hasRoom).toBe(false);
  expect(outbox.stateOf(key)).toEqual(minute(1).state);
  outbox.probe();
  expect(outbox.hasRoom).toBe(false);
  disk.roomBytes = 100_000;
  // Right behind what the disk took of the line before.
  expect(outbox.append([minute(2)])).toBe(true);
  expect(outbox.hasRoom).toBe(true);
  expect(sequencesOf(open())).toEqual([1, 2]);
});

test("a file that could not be begun properly is not written behind: every one has all meters at its head", () => {
  const outbox = open({ segmentBytes: 500 });
  outbox.append([minute(1)]);
  outbox.append([minute(2)]);
  const real = fs.writeSync;
  const disk = { isFull: true };
  vi.spyOn(fs, "writeSync").mockImplementation(((fd: number, bytes: Buffer, offset: number) => {
    if (disk.isFull) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    return real(fd, bytes, offset);
  }) as typeof fs.writeSync);
  syncBuiltinESMExports();
  for (let i = 0; i < 5; i++) outbox.probe();
  expect(outbox.append([minute(3)])).toBe(false);
  for (let i = 0; i < 5; i++) outbox.probe();
  disk.isFull = false;
  outbox.probe();
  expect(filesOf().length).toBeLessThanOrEqual(2);
  const batch = outbox.peek(500);
  if (batch) outbox.acknowledge(batch);
  expect(open().stateOf(key)).toEqual(minute(2).state);
});
