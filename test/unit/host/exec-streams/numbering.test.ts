import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limits } from "#contract/limits";
import { EventRing } from "#host/exec-streams/ring";
import { outputStart, StreamedOutput } from "#host/sandboxes/streamed-output";
import { bytesOf } from "../../../support/events.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type Kind = "stdout" | "stderr";
type Byte = { kind: Kind; byte: number };
type Told = { id: number; kind: string; bytes: Buffer };
type Wanted = ConstructorParameters<typeof StreamedOutput>[1];

/** What a reader is told who has had everything up to `after`. */
function told(ring: EventRing, after: number): Told[] {
  const cursor = ring.attach(after, () => undefined, "");
  const frames: Buffer[] = [];
  for (let taken = ring.take(cursor); taken.length > 0; taken = ring.take(cursor)) frames.push(...taken);
  ring.detach(cursor);
  return frames.map((frame) => {
    const [, kind = "", id = "", data = ""] =
      /^event: (.*)\nid: (\d+)\ndata: (.*)\n\n$/.exec(String(frame)) ?? [];
    return { id: Number(id), kind, bytes: kind.startsWith("std") ? bytesOf(data) : Buffer.alloc(0) };
  });
}

/** Prints in pieces of any length, with pauses, in the order in which the bytes came. */
function print(output: StreamedOutput, bytes: Byte[], cuts: number[]): void {
  let turn = 0;
  for (let at = 0; at < bytes.length; turn++) {
    const kind = bytes[at]?.kind ?? "stdout";
    const most = 1 + (cuts[turn % cuts.length] ?? 0);
    let end = at;
    while (end < bytes.length && end - at < most && bytes[end]?.kind === kind) end++;
    output.take(kind, Buffer.from(bytes.slice(at, end).map(({ byte }) => byte)));
    if (turn % 3 === 0) vi.advanceTimersByTime(limits.outputEventMaxMs + 1);
    at = end;
  }
}

function life(wanted: Wanted, bytes: Byte[], cuts: number[], from = 0): EventRing {
  const of = (kind: Kind) => bytes.slice(0, from).filter((each) => each.kind === kind);
  const tail = (kind: Kind) =>
    Buffer.from(
      of(kind)
        .slice(-3)
        .map(({ byte }) => byte),
    );
  const start = outputStart(
    {
      offsets: { stdout: of("stdout").length, stderr: of("stderr").length },
      tails: { stdout: tail("stdout"), stderr: tail("stderr") },
      keptBytes: bytes.length - from,
    },
    wanted,
  );
  const ring = new EventRing({ onHeld: () => undefined, onAbandoned: () => undefined }, start.seq);
  const output = new StreamedOutput(ring, wanted, start);
  print(output, bytes.slice(from), cuts);
  output.finish();
  ring.end("exit", {});
  return ring;
}

const run = fc.record({
  kind: fc.constantFrom<Kind>("stdout", "stderr"),
  text: fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ minLength: 1, maxLength: 5 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom("f09f", "8c", "8d", "c3", "e282", "80").map((hex) => Buffer.from(hex, "hex")),
  ),
});
const cuts = fc.array(fc.nat(7), { minLength: 1, maxLength: 5 });

test("whenever a host dies and wherever output was cut, a reader has every byte once, in its order", () => {
  const wanted = fc.record(
    { outputEncoding: fc.constantFrom("base64" as const, "utf8" as const), maxOutputBytes: fc.nat(30) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.array(run, { maxLength: 14 }),
      wanted,
      fc.tuple(cuts, cuts),
      fc.nat(),
      fc.nat(),
      (runs, wanted, [before, after], died, dropped) => {
        const bytes = runs.flatMap(({ kind, text }) => [...text].map((byte) => ({ kind, byte })));
        const first = told(life(wanted, bytes, before), 0);
        const had = first.slice(0, died % (first.length + 1));
        const lastId = had.at(-1)?.id ?? 0;
        const rest = told(life(wanted, bytes, after, dropped % (bytes.length + 1)), lastId);
        const [gap] = rest.filter(({ kind }) => kind === "gap");
        const rightIds = [...had, ...rest].map(({ id }) => id);
        expect(rightIds.every((id, i) => id >= (rightIds[i - 1] ?? 0))).toBe(true);
        expect(rest.at(-1)).toMatchObject({ kind: "exit", id: first.at(-1)?.id });
        // Without a gap it is what one host alone would have told.
        const all = (events: Told[], kind: string) =>
          Buffer.concat(events.filter((each) => each.kind === kind).map(({ bytes }) => bytes)).toString(
            "hex",
          );
        if (gap || wanted.outputEncoding === "utf8") return;
        for (const kind of ["stdout", "stderr"]) expect(all([...had, ...rest], kind)).toBe(all(first, kind));
      },
    ),
    { numRuns: 1_000, seed: 5 },
  );
});
