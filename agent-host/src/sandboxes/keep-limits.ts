import { setImmediate as turn } from "node:timers/promises";
import type { Logger } from "pino";
import type { Runtime } from "../runtime/runtime.ts";
import type { Live, Registry } from "./registry.ts";

export type KeepLimitsDeps = {
  registry: Pick<Registry, "all">;
  runtime: Pick<Runtime, "keepLimits">;
  log: Logger;
};

/** Reading one sandbox's limits takes 0.05 ms; commands are served in between. */
const sandboxesPerTurn = 20;

/** Compares what the kernel holds with the leases and writes again what somebody has changed, as systemd does. */
export async function keepLimits(deps: KeepLimitsDeps): Promise<void> {
  let looked = 0;
  for (const live of deps.registry.all()) {
    if (++looked % sandboxesPerTurn === 0) await turn();
    if (live.isConfigured && !live.ending) keepLimitsOf(deps, live);
  }
}

/** One that resists is left to the next time. */
export function keepLimitsOf({ runtime, log }: Omit<KeepLimitsDeps, "registry">, live: Live): void {
  const { sandboxId } = live.lease;
  try {
    const rewritten = runtime.keepLimits(live.member, live.lease);
    if (rewritten.length > 0) log.warn({ sandboxId, rewritten }, "limits were changed by somebody else");
  } catch (cause) {
    log.warn({ err: cause, sandboxId }, "limits could not be written again");
  }
}
