import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Clock } from "../context.ts";
import { AppError } from "../errors.ts";
import { Buckets } from "./buckets.ts";

/** Names can be made up by anybody: past so many that are busy at once, the oldest is forgotten. */
const entriesMax = 10_000;
const once = { least: 1, most: 1, paid: 0, returned: 0 };
const rate = { capacity: limits.portVisitsBurst, perSecond: limits.portVisitsPerSecond };

export type PortVisits = {
  /** @throws AppError `rate_limited` */
  take(sandboxId: SandboxId): void;
};

/** Requests to a sandbox's ports by host name from whoever shows no key, in each process or isolate: nobody pays for them. */
export function portVisits({ now }: { now: Clock }): PortVisits {
  const buckets = new Buckets(entriesMax);
  return {
    take(sandboxId) {
      const { isAllowed, remaining, retryAfterMs } = buckets.take([{ name: sandboxId, rate }], once, now());
      if (isAllowed) return;
      const facts = { class: "port", limit: rate.capacity, remaining, retryAfterMs };
      throw new AppError(
        "rate_limited",
        "This address has more requests than it takes. Wait, and send this again.",
        { facts },
      );
    },
  };
}
