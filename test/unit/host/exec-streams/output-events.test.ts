import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limits } from "#contract/limits";
import { OutputEvents, outputText } from "#host/exec-streams/output-events";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type Emitted = { kind: string; data: string; encoding: "utf8" | "base64" };

function recorded(encoding?: "utf8" | "base64") {
  const emitted: Emitted[] = [];
  const events = new OutputEvents(encoding, (kind, bytes) =>
    emitted.push({ kind, ...outputText(bytes, encoding) }),
  );
  return { emitted, events };
}
const bytesOf = (emitted: Emitted[], kind: string) =>
  Buffer.concat(emitted.filter((e) => e.kind === kind).map((e) => Buffer.from(e.data, e.encoding)));

test("a character that comes in pieces is never cut, and other bytes are base64", () => {
  const { emitted, events } = recorded();
  for (const hex of ["6772c3", "bcc39f6520f09f", "8c8d", "ff00fe", "656e6420e282"]) {
    events.push("stdout", Buffer.from(hex, "hex"));
    vi.advanceTimersByTime(limits.outputEventMaxMs + 2);
  }
  events.end();
  const text = emitted.map(({ data, encoding }) => `${encoding} ${data}`);
  expect(text).toEqual(["utf8 gr", "utf8 üße ", "utf8 🌍", "base64 /wD+", "utf8 end ", "base64 4oI="]);
});

test("what comes after a pause is not held back, what follows on its heels is joined", () => {
  const { emitted, events } = recorded();
  events.push("stdout", Buffer.from("first"));
  expect(emitted).toHaveLength(1);
  for (let i = 0; i < 100; i++) events.push("stdout", Buffer.from("x"));
  expect(emitted).toHaveLength(1);
  vi.advanceTimersByTime(limits.outputEventMaxMs);
  expect(emitted[1]?.data).toBe("x".repeat(100));
});

test("no event is larger than the bound, however much comes at once", () => {
  const { emitted, events } = recorded();
  events.push("stdout", Buffer.alloc(1_000_000, "é"));
  events.end();
  expect(emitted.every(({ data }) => Buffer.byteLength(data) <= limits.outputEventMaxBytes)).toBe(true);
  expect(emitted.every(({ encoding }) => encoding === "utf8")).toBe(true);
  expect(bytesOf(emitted, "stdout").toString()).toBe("é".repeat(500_000));
});

test("any bytes in any pieces come back, in the order of each stream", () => {
  const piece = fc.tuple(
    fc.constantFrom("stdout" as const, "stderr" as const),
    fc.uint8Array({ minLength: 1, maxLength: 12 }),
  );
  fc.assert(
    fc.property(fc.array(piece), fc.constantFrom(undefined, "base64" as const), (pieces, encoding) => {
      const { emitted, events } = recorded(encoding);
      for (const [kind, bytes] of pieces) events.push(kind, Buffer.from(bytes));
      events.end();
      for (const kind of ["stdout", "stderr"]) {
        const sent = Buffer.concat(pieces.filter(([of]) => of === kind).map(([, bytes]) => bytes));
        expect(bytesOf(emitted, kind).equals(sent)).toBe(true);
      }
    }),
    { numRuns: 300, seed: 3 },
  );
});
