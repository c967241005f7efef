import type { Logger } from "pino";
import type { HostIdentity } from "#contract/host";
import type { Runtime } from "../runtime/runtime.ts";
import type { Live } from "../sandboxes/registry.ts";
import { thisBoot } from "./boot.ts";
import { Courier } from "./courier.ts";
import { deliver } from "./deliver.ts";
import { LastSeen } from "./last-seen.ts";
import { UsageMeter } from "./meter.ts";
import { Outbox } from "./outbox.ts";

export type UsageOptions = {
  hostFolder: string;
  identity: HostIdentity;
  key: Buffer;
  intervalMs: number;
  outboxMaxBytes: number;
  runtime: Pick<Runtime, "cpuMicros" | "terminate">;
  /** A sandbox's own budget is spent. */
  onSpent: (live: Live) => void;
  now: () => number;
  log: Logger;
};

export type Usage = ReturnType<typeof composeUsage>;

/** What measures sandboxes, keeps what was measured, and hands it on. @throws Error when its folder cannot be used */
export function composeUsage(options: UsageOptions) {
  const { hostFolder, runtime, log, now } = options;
  const boot = thisBoot();
  const outbox = new Outbox({ hostFolder, maxBytes: options.outboxMaxBytes, log });
  const lastSeen = new LastSeen(hostFolder, boot);
  const onBudget = (live: Live, verdict: "warn" | "end") => {
    if (verdict === "end") options.onSpent(live);
    else warn(options, live);
  };
  const meter = new UsageMeter({ ...options, outbox, runtime, boot, onBudget });
  const courier = new Courier(() => deliver({ ...options, outbox }), log);
  const ageSeconds = () => {
    const oldest = outbox.peek(1)?.events[0];
    return oldest ? Math.max(0, (now() - oldest.toMs) / 1000) : 0;
  };
  return {
    meter,
    courier,
    boot,
    seen: lastSeen.before,
    facts: () => ({ events: outbox.pending, bytes: outbox.bytes, ageSeconds: ageSeconds() }),
    /** For every second. */
    tick(lives: readonly Live[]): void {
      lastSeen.mark();
      meter.tick(lives);
    },
    close(): void {
      outbox.close();
      lastSeen.close();
    },
  };
}

/** One that ignores it, or cannot be frozen for it, is ended all the same when its budget is spent. */
function warn({ runtime, log }: UsageOptions, live: Live): void {
  const { sandboxId } = live.lease;
  log.info({ sandboxId }, "the sandbox's budget is all but spent; its processes get SIGTERM");
  runtime.terminate(live.member).catch((cause: unknown) => {
    log.warn({ err: cause, sandboxId }, "the processes were not told that their budget is all but spent");
  });
}
