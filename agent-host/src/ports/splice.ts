import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "#contract/limits";
import { meter } from "./meter.ts";

/** Joins two connections until one has ended, plus a moment for what is on its way, or one has broken. Never rejects. */
export async function splice(one: Duplex, other: Duplex, touch: () => void): Promise<void> {
  const both = [pipeline(one, meter(touch), other), pipeline(other, meter(touch), one)];
  try {
    await Promise.race(both);
    await Promise.race([Promise.all(both), sleep(limits.portHalfClosedMs, undefined, { ref: false })]);
  } catch {
    // A tunnel has no place to say why it ended.
  } finally {
    one.destroy();
    other.destroy();
    await Promise.allSettled(both);
  }
}
