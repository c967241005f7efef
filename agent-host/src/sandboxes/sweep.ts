import type { Logger } from "pino";
import type { Pool } from "../pool/pool.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Registry } from "./registry.ts";

export type SweepDeps = {
  runtime: Pick<Runtime, "list" | "remove" | "sweep">;
  pool: Pick<Pool, "memberIds" | "checkHealth">;
  registry: Registry;
  log: Logger;
};

const pingDeadlineMs = 5_000;

/**
 * Finds what a failure left behind: containers that neither the pool nor a lease knows, sockets and uids of
 * containers that are gone, warm members that do not answer. The listing comes before the look at what is known,
 * so that a member started in between is not taken for a leftover.
 */
export async function sweep(deps: SweepDeps): Promise<void> {
  await deps.pool.checkHealth(pingDeadlineMs);
  const found = await deps.runtime.list();
  const known = new Set(deps.pool.memberIds());
  for (const live of deps.registry.all()) known.add(live.member.memberId);
  for (const leftover of found.filter(({ memberId }) => !known.has(memberId))) {
    deps.log.warn({ memberId: leftover.memberId }, "removing a leftover sandbox");
    await deps.runtime.remove(leftover);
  }
  deps.runtime.sweep(known);
}
