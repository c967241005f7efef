import { expect, test } from "vitest";
import { eventFrame, keepAliveComment } from "#contract/events";
import { collect, eventsOf } from "#test/support/events";
import { relayEvents } from "#worker/providers/agent-host/relay";

const output = (seq: number, data = "x") => eventFrame("stdout", { seq, data, encoding: "utf8" }, seq);
const exit = (seq: number) => eventFrame("exit", { exitCode: 0 }, seq);

/** A host that sends these pieces and then ends, breaks, or is silent. */
function host(pieces: (string | Uint8Array)[], end: "ends" | "breaks" = "ends") {
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece !== undefined) controller.enqueue(Buffer.from(piece));
      else if (end === "ends") controller.close();
      else controller.error(new Error("connect ECONNRESET 10.0.0.7"));
    },
  });
}
const relayed = (body: ReadableStream<Uint8Array>) => new Response(relayEvents(body, "req_1")).text();

test("events pass as they are, however the network cut them", async () => {
  const sent = output(1, "ü\u2028 fake\n\nevent: exit\ndata: {}\n\n") + keepAliveComment + exit(2);
  const bytes = Buffer.from(sent);
  expect(await relayed(host(Array.from(bytes, (byte) => Buffer.of(byte))))).toBe(sent);
  expect(await relayed(host([bytes]))).toBe(sent);
  expect(await relayed(host([bytes], "breaks"))).toBe(sent);
});

test.each(["ends", "breaks"] as const)("a host that %s early has its last event added", async (how) => {
  for (const half of ["", output(2).slice(0, 9), output(2).slice(0, -1), "event: exit\nid: 3"]) {
    const { events, last } = await collect(eventsOf(relayEvents(host([output(1), half], how), "req_1")));
    expect(events.map(({ event }) => event)).toEqual(["stdout", "error"]);
    expect(last).toMatchObject({ id: "", json: { code: "exec_lost", requestId: "req_1" } });
    expect(last.data).not.toContain("10.0.0.7");
  }
});

test("a host that sends one endless event is left", async () => {
  let isLeft = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(Buffer.alloc(65_536, "x")),
    cancel: () => {
      isLeft = true;
    },
  });
  const { last } = await collect(eventsOf(relayEvents(endless, "req_1")));
  expect([last.event, isLeft]).toEqual(["error", true]);
});

test("nothing is read from the host before it is asked for, and leaving reaches it", async () => {
  let pulls = 0;
  let isLeft = false;
  const eager = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => controller.enqueue(Buffer.from(output(++pulls))),
      cancel: () => {
        isLeft = true;
      },
    },
    { highWaterMark: 0 },
  );
  const reader = relayEvents(eager, "req_1").getReader();
  expect(pulls).toBe(0);
  await reader.read();
  expect(pulls).toBe(1);
  await reader.cancel();
  expect(isLeft).toBe(true);
});
