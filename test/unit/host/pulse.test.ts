import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pulse } from "#host/control/pulse";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const log = pino({ level: "silent" });

/** A control plane that is not there for the first so many beats. */
function deafFor(beats: number) {
  let seen = 0;
  const beat = async () => {
    seen++;
    if (seen <= beats) throw new Error("connect ECONNREFUSED");
  };
  return { pulse: new Pulse(beat, log), seen: () => seen };
}

test("a host is not heard before the control plane has taken a heartbeat", async () => {
  const { pulse, seen } = deafFor(3);
  const heard = pulse.untilHeard(new AbortController().signal);
  let isHeard: boolean | undefined;
  void heard.then((value) => {
    isHeard = value;
  });
  await vi.advanceTimersByTimeAsync(20);
  expect([isHeard, seen()]).toEqual([undefined, 1]);
  await vi.advanceTimersByTimeAsync(200);
  expect([isHeard, seen()]).toEqual([true, 4]);
  await pulse.stop();
});

test("a host that is to stop does not wait for a control plane that never comes", async () => {
  const { pulse } = deafFor(Number.POSITIVE_INFINITY);
  const hurry = new AbortController();
  const heard = pulse.untilHeard(hurry.signal);
  await vi.advanceTimersByTimeAsync(100);
  hurry.abort();
  await vi.advanceTimersByTimeAsync(100);
  expect(await heard).toBe(false);
  await pulse.stop();
});
