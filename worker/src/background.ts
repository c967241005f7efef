import type { Background } from "./context.ts";
import { describeError, type Log } from "./log.ts";

/** Keeps account of work that no answer waits for, where the runtime has no `waitUntil` of its own. */
export function trackBackground(log: Log): { background: Background; settled: () => Promise<void> } {
  const pending = new Set<Promise<unknown>>();
  return {
    background(name, work) {
      const guarded = work
        .catch((error) => log({ level: "error", event: "background", name, cause: describeError(error) }))
        .finally(() => pending.delete(guarded));
      pending.add(guarded);
    },
    async settled() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
