import { afterEach, expect, test, vi } from "vitest";
import { limits } from "#contract/limits";
import { boundStream, readBounded, readOrStream } from "#worker/bytes";
import { readBytes } from "#worker/middleware/body";

afterEach(() => {
  vi.useRealTimers();
});

const streamOf = (...sizes: number[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const size of sizes) controller.enqueue(new Uint8Array(size).fill(4));
      controller.close();
    },
  });
const lengthOf = async (stream: ReadableStream<Uint8Array>) =>
  (await new Response(stream).arrayBuffer()).byteLength;

test("a body up to the bound is read whole, one byte more is refused", async () => {
  expect((await readBounded(streamOf(4, 4), 8)).byteLength).toBe(8);
  await expect(readBounded(streamOf(4, 5), 8)).rejects.toMatchObject({ code: "payload_too_large" });
  expect(await lengthOf(boundStream(streamOf(4, 4), 8))).toBe(8);
  await expect(lengthOf(boundStream(streamOf(4, 5), 8))).rejects.toMatchObject({ code: "payload_too_large" });
});

test("a short body comes as bytes, a long one as a stream of all of it", async () => {
  const short = await readOrStream(streamOf(4, 4), 8);
  expect(short).toEqual(new Uint8Array(8).fill(4));
  const long = await readOrStream(streamOf(5, 4, 3), 8);
  if (!(long instanceof ReadableStream)) throw new Error("not a stream");
  expect(await lengthOf(long)).toBe(12);
});

test("a body that never ends arriving is given up", async () => {
  vi.useFakeTimers();
  const body = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(new Uint8Array(1)) });
  const request = new Request("http://x/", { method: "POST", body, duplex: "half" });
  const reading = readBytes(request, 100).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(limits.bodyDeadlineMs + 1);
  expect(await reading).toMatchObject({ code: "request_timeout" });
});

test("a sender that breaks off is not taken for a fault of ours", async () => {
  const broken = () => new ReadableStream<Uint8Array>({ pull: (c) => c.error(new Error("ECONNRESET")) });
  const request = new Request("http://x/", { method: "POST", body: broken(), duplex: "half" });
  await expect(readBytes(request, 100)).rejects.toMatchObject({ code: "request_timeout" });
  await expect(lengthOf(boundStream(broken(), 8))).rejects.toMatchObject({ code: "request_timeout" });
});
