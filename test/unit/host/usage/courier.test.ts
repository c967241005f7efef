import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newHostCode, newHostId, newSandboxId } from "#contract/ids";
import { noQuantities, UsageReport } from "#contract/usage";
import { Courier } from "#host/usage/courier";
import { deliver } from "#host/usage/deliver";
import { Outbox } from "#host/usage/outbox";

const log = pino({ level: "silent" });
const code = newHostCode();
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-courier-"));
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

/** A control plane that is away for some time, and a host whose sandboxes go on meanwhile. */
function outage() {
  const outbox = new Outbox({ hostFolder: folder, maxBytes: 1e9, log });
  // No fake clock makes a real disk any faster.
  outbox.sync = async () => undefined;
  const control = { isAway: true, seen: [] as string[], reports: [] as number[], attempts: 0 };
  const identity = { hostId: newHostId(), code, key: "00".repeat(32), controlUrl: "http://127.0.0.1:1" };
  const take: typeof fetch = async (_url, init) => {
    control.attempts++;
    if (control.isAway) throw new TypeError("fetch failed");
    const { events } = UsageReport.parse(JSON.parse(String(init?.body)));
    control.reports.push(events.length);
    control.seen.push(...events.map(({ sandboxId, sequence }) => `${sandboxId}-${sequence}`));
    return Response.json({ accepted: events.length });
  };
  const key = Buffer.alloc(32);
  const courier = new Courier(
    () => deliver({ outbox, identity, key, now: Date.now, fetch: take }),
    log,
    () => 0.5,
  );
  return { outbox, control, courier };
}

const sandboxes = Array.from({ length: 20 }, () => newSandboxId(code));

/** A minute of every sandbox. */
function appendMinute(outbox: Outbox, sequence: number): string[] {
  const records = sandboxes.map((sandboxId) => ({
    event: {
      sandboxId,
      generation: 1,
      sequence,
      fromMs: sequence * 60_000,
      toMs: sequence * 60_000 + 60_000,
      quantities: noQuantities,
      isFinal: false,
    },
    state: {
      sequence,
      point: { elapsedMs: sequence * 60_000, cpuMicros: 0 },
      isFinal: false,
      warnedCapMicros: 0,
    },
  }));
  expect(outbox.append(records)).toBe(true);
  return records.map(({ event }) => `${event.sandboxId}-${event.sequence}`);
}

test("an hour without a control plane loses nothing: all of it comes, oldest first, each once, 500 at a time", async () => {
  const { outbox, control, courier } = outage();
  courier.start();
  const written: string[] = [];
  for (let n = 1; n <= 60; n++) {
    written.push(...appendMinute(outbox, n));
    await vi.advanceTimersByTimeAsync(60_000);
  }
  expect(control.seen).toEqual([]);
  // 30 s at most between two attempts, and not every second.
  expect(control.attempts).toBeGreaterThan(100);
  expect(control.attempts).toBeLessThan(300);
  control.isAway = false;
  await vi.advanceTimersByTimeAsync(30_000);
  await courier.stop(0);
  expect(control.seen).toEqual(written);
  expect(Math.max(...control.reports)).toBe(500);
  outbox.close();
});

test("a host that stops hands over what it can, and no longer than it was given", async () => {
  const { outbox, control, courier } = outage();
  control.isAway = false;
  for (let n = 1; n <= 60; n++) appendMinute(outbox, n);
  vi.useRealTimers();
  await courier.stop(5_000);
  expect(control.seen).toHaveLength(60 * sandboxes.length);
  outbox.close();
});
