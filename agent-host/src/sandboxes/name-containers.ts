import type { Runtime } from "../runtime/runtime.ts";
import type { Registry } from "./registry.ts";

export type NameDeps = {
  registry: Pick<Registry, "all">;
  runtime: Pick<Runtime, "label">;
  now: () => number;
};

/** By then a sandbox has run its first commands, and most short ones have ended. */
const settledMs = 5_000;
/** A name takes the engine 3 ms of a core. */
const perRoundMax = 20;

/**
 * Names the containers of sandboxes that have lived for a while, for people who look at the engine; nothing depends on
 * it. Not while a sandbox is created: the engine's work would meet its first command, and a hundred of them a burst.
 */
export async function nameContainers({ registry, runtime, now }: NameDeps): Promise<void> {
  const bornBeforeMs = now() - settledMs;
  const unnamed = registry
    .all()
    .filter((live) => !live.isNamed && live.isConfigured && live.lease.createdAtMs <= bornBeforeMs);
  for (const live of unnamed.slice(0, perRoundMax)) {
    if (live.ending) continue;
    live.isNamed = true;
    const { sandboxId, generation } = live.lease;
    await runtime.label(live.member, `sbx-${sandboxId}-${generation}`).catch(() => undefined);
  }
}
