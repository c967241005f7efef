import { expect, test, vi } from "vitest";
import { keepAliveComment } from "#contract/events";
import { newExecId } from "#contract/ids";
import { limits } from "#contract/limits";
import { eventBody } from "#host/exec-streams/body";
import { outputText } from "#host/exec-streams/output-events";
import { ExecStreams } from "#host/exec-streams/streams";
import { collect, eventsOf } from "../../../support/events.ts";

const owner = { sandboxId: "s1", tenantId: "t1" };
const exit = { exitCode: 0 };

function opened(streams = new ExecStreams(), of = owner) {
  let abandoned = 0;
  const stream = streams.open(of, newExecId(), { onAbandoned: () => abandoned++ });
  const print = (text: string) =>
    stream.ring.appendOutput("stdout", Buffer.from(text), (bytes) => outputText(bytes, undefined));
  return { ...stream, stream, streams, print, abandoned: () => abandoned };
}
const read = (ring: ReturnType<typeof opened>["ring"], after = 0) =>
  eventBody({ ring, silenceMs: limits.streamCommentMs }, after, "req_1");
const events = async (body: ReadableStream<Uint8Array>) =>
  (await collect(eventsOf(body))).events.map(({ id, event }) => `${id} ${event}`);

test("a reader gets what there is, what comes, and the end", async () => {
  const { ring, print } = opened();
  print("one");
  const seen = events(read(ring));
  await Promise.resolve();
  print("two!");
  ring.end("exit", exit);
  expect(await seen).toEqual(["3 stdout", "7 stdout", "8 exit"]);
  expect(await events(read(ring, 3))).toEqual(["7 stdout", "8 exit"]);
  expect(await events(read(ring, 8))).toEqual(["8 exit"]);
  expect(await events(read(ring, 10 ** 15))).toEqual(["8 exit"]);
});

test("a reader may go on from inside an event, and gets the rest of it", async () => {
  const { ring, print } = opened();
  print("one");
  print("two");
  ring.end("exit", exit);
  const { events: rest, stdout } = await collect(eventsOf(read(ring, 4)));
  expect(rest.map(({ id, event }) => `${id} ${event}`)).toEqual(["6 stdout", "7 exit"]);
  expect(String(stdout)).toBe("wo");
});

test("a stream of a former host goes on under its numbers; what is gone is a gap", async () => {
  const streams = new ExecStreams();
  const { ring } = streams.open(owner, newExecId(), { onAbandoned: () => undefined, startSeq: 1_000 });
  ring.appendOutput("stderr", Buffer.from("late"), (bytes) => outputText(bytes, undefined));
  ring.skip(50);
  ring.end("exit", exit);
  const { events: all } = await collect(eventsOf(read(ring, 10)));
  expect(all.map(({ id, event }) => `${id} ${event}`)).toEqual(["1000 gap", "1004 stderr", "1055 exit"]);
  expect(JSON.parse(all[0]?.data ?? "")).toEqual({ fromSeq: 11, toSeq: 1_000 });
  expect(await events(read(ring, 1_004))).toEqual(["1055 exit"]);
});

test("what can be read no more is told of, once", () => {
  let forgotten = 0;
  const streams = new ExecStreams();
  const stream = streams.open(owner, newExecId(), {
    onAbandoned: () => undefined,
    onForgotten: () => forgotten++,
  });
  streams.forget(stream);
  streams.forget(stream);
  expect(forgotten).toBe(1);
});

test("what nobody read is dropped oldest first, and said", async () => {
  const { ring, print } = opened();
  for (let i = 0; i < 30; i++) print("x".repeat(limits.outputEventMaxBytes));
  ring.end("exit", exit);
  expect(ring.heldBytes).toBeLessThanOrEqual(limits.execStreamKeptBytes);
  const all = await collect(eventsOf(read(ring)));
  expect(all.events[0]?.event).toBe("gap");
  const { fromSeq, toSeq } = JSON.parse(all.events[0]?.data ?? "");
  expect(fromSeq).toBe(1);
  expect(all.events[1]?.id).toBe(String(toSeq + limits.outputEventMaxBytes));
  const printedBytes = 30 * limits.outputEventMaxBytes;
  expect(toSeq + all.stdout.length).toBe(printedBytes);
  expect(all.events.at(-1)).toMatchObject({ id: String(printedBytes + 1), event: "exit" });
});

test("a reader who is behind stops the producer; reading on, or leaving, lets it go", async () => {
  const { ring, print, abandoned } = opened();
  const body = read(ring).getReader();
  while (ring.hasRoom) print("x".repeat(10_000));
  let isFree = false;
  void ring.room().then(() => {
    isFree = true;
  });
  await body.read();
  await vi.waitFor(() => expect(isFree).toBe(true));
  while (ring.hasRoom) print("x".repeat(10_000));
  await body.cancel();
  expect(ring.hasRoom).toBe(true);
  expect(abandoned()).toBe(1);
});

test("nothing unread is dropped while somebody reads", async () => {
  const { ring, print } = opened();
  const body = read(ring);
  for (let i = 0; i < 30; i++) print("x".repeat(limits.outputEventMaxBytes));
  ring.end("exit", exit);
  expect(await events(body)).toHaveLength(31);
});

test("the newest reader takes over, and nobody was abandoned", async () => {
  const { ring, print, abandoned } = opened();
  const older = events(read(ring));
  await Promise.resolve();
  const newer = events(read(ring));
  print("a");
  ring.end("exit", exit);
  expect(await older).toEqual([" error"]);
  expect(await newer).toEqual(["1 stdout", "2 exit"]);
  expect(abandoned()).toBe(0);
});

test("a silent stream says so every 15 seconds", async () => {
  vi.useFakeTimers();
  try {
    const { ring } = opened();
    const body = read(ring).getReader();
    const first = body.read();
    await vi.advanceTimersByTimeAsync(limits.streamCommentMs);
    expect(Buffer.from((await first).value ?? []).toString()).toBe(keepAliveComment);
  } finally {
    vi.useRealTimers();
  }
});

test("only its own tenant and sandbox find a stream, for a while after its end", () => {
  vi.useFakeTimers();
  try {
    const { stream, streams, execId, ring } = opened();
    expect(streams.find(execId, owner)).toBe(stream);
    expect(streams.find(execId, { ...owner, tenantId: "t2" })).toBeUndefined();
    expect(streams.find(execId, { ...owner, sandboxId: "s2" })).toBeUndefined();
    ring.end("exit", exit);
    streams.forgetLater(stream);
    vi.advanceTimersByTime(limits.execStreamKeptMs - 1);
    expect(streams.find(execId, owner)).toBe(stream);
    vi.advanceTimersByTime(1);
    expect(streams.find(execId, owner)).toBeUndefined();
    expect(streams.heldBytes).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("one sandbox, and all of them, keep to their bounds; the one that holds the most gives up first", () => {
  const streams = new ExecStreams();
  const small = opened(streams, { ...owner, sandboxId: "small" });
  small.print("kept");
  for (let box = 0; box < 20; box++) {
    for (let i = 0; i < 10; i++) {
      const { print, ring } = opened(streams, { ...owner, sandboxId: `big${box}` });
      for (let n = 0; n < 20; n++) print("x".repeat(60_000));
      if (i % 2) ring.end("exit", exit);
    }
    expect(streams.heldBytes).toBeLessThanOrEqual(limits.execStreamsHostBytes);
  }
  expect(streams.find(small.execId, { ...owner, sandboxId: "small" })?.ring.heldBytes).toBeGreaterThan(0);
});
