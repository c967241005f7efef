import { expect, test } from "vitest";
import { newExecId } from "#contract/ids";
import { limits } from "#contract/limits";
import { type ExecStream, ExecStreams } from "#host/exec-streams/streams";

const share = limits.execStreamsTenantMax;

function open(streams: ExecStreams, tenantId: string): ExecStream {
  const owner = { sandboxId: `box-of-${tenantId}`, tenantId };
  return streams.open(owner, newExecId(), { onAbandoned: () => undefined });
}
const many = (streams: ExecStreams, tenantId: string, count: number) =>
  Array.from({ length: count }, () => open(streams, tenantId));
const end = (stream?: ExecStream) => stream?.ring.end("exit", { exitCode: 0 });
const isKept = (streams: ExecStreams, stream: ExecStream | undefined) =>
  stream !== undefined && streams.find(stream.execId, stream) === stream;
const full = expect.objectContaining({ code: "too_many_execs" });

test("a tenant that has its share of a host's streams gives up its own that have ended, then gets no more", () => {
  const streams = new ExecStreams();
  const others = many(streams, "other", 1);
  end(others[0]);
  const own = many(streams, "greedy", share);
  expect(() => open(streams, "greedy")).toThrow(full);
  for (const stream of [own[9], own[3]]) end(stream);
  open(streams, "greedy");
  expect([isKept(streams, own[3]), isKept(streams, own[9])]).toEqual([false, true]);
  open(streams, "greedy");
  expect(isKept(streams, own[9])).toBe(false);
  expect(() => open(streams, "greedy")).toThrow(full);
  expect(isKept(streams, others[0])).toBe(true);
});

test("a stream that is forgotten frees one place of its tenant's, and only once", () => {
  const streams = new ExecStreams();
  const [first] = many(streams, "t", share);
  if (!first) throw new Error("none");
  streams.forget(first);
  streams.forget(first);
  open(streams, "t");
  expect(() => open(streams, "t")).toThrow(full);
});

test("on a full host who has the most gives up what has ended, not who came first", () => {
  const streams = new ExecStreams();
  const [oldest] = many(streams, "small", 1);
  end(oldest);
  const most = ["a", "b", "c"].map((tenantId) => many(streams, tenantId, share));
  const less = many(streams, "d", limits.execStreamsHostMax - 3 * share - 1);
  for (const stream of [...(most[1] ?? []), ...less]) end(stream);
  open(streams, "new");
  expect(isKept(streams, oldest)).toBe(true);
  // Of those who have the most the first has none that has ended.
  expect(isKept(streams, most[1]?.[0])).toBe(false);
  expect(less.every((stream) => isKept(streams, stream))).toBe(true);
});
