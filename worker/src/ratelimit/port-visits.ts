import { hostCodeOf, type SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Clock } from "../context.ts";
import { AppError } from "../errors.ts";
import { Buckets, type Wanted } from "./buckets.ts";

/** Names can be made up by anybody: past so many that are busy at once, the oldest is forgotten. */
const entriesMax = 10_000;
const once = { least: 1, most: 1, paid: 0, returned: 0 };
const rate = { capacity: limits.portVisitsBurst, perSecond: limits.portVisitsPerSecond };
const hostRate = { capacity: limits.portHostVisitsBurst, perSecond: limits.portHostVisitsPerSecond };

/** Who has shown the sandbox's traffic token, and everybody else. */
export type Visitor = "holder" | "anyone";
export type PortVisits = {
  /** @throws AppError `rate_limited` */
  take(sandboxId: SandboxId, visitor: Visitor): void;
};

/**
 * Requests to a sandbox's ports by host name from whoever shows no key, in each process or isolate: nobody pays for them.
 * A flood without the token locks out nobody who has it, and names that are made up share what is their host's.
 */
export function portVisits({ now }: { now: Clock }): PortVisits {
  const sandboxes = new Buckets(entriesMax);
  // Apart, so that made-up names of sandboxes never push out what is counted of their host.
  const hosts = new Buckets(entriesMax);
  return {
    take(sandboxId, visitor) {
      const nowMs = now();
      draw(sandboxes, { name: `${visitor}:${sandboxId}`, rate }, nowMs);
      const code = hostCodeOf(sandboxId);
      if (visitor === "anyone" && code !== null) draw(hosts, { name: code, rate: hostRate }, nowMs);
    },
  };
}

function draw(buckets: Buckets, wanted: Wanted, nowMs: number): void {
  const { isAllowed, remaining, retryAfterMs } = buckets.take([wanted], once, nowMs);
  if (isAllowed) return;
  const facts = { class: "port", limit: wanted.rate.capacity, remaining, retryAfterMs };
  throw new AppError(
    "rate_limited",
    "This address has more requests than it takes. Wait, and send this again.",
    { facts },
  );
}
