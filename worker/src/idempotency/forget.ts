import { limits } from "#contract/limits";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { forgetRecords } from "./store.ts";

/** Forgets the keys whose time is over. Returns how many. */
export function forget(deps: { db: Db; now: Clock }): Promise<number> {
  return forgetRecords(deps.db, deps.now() - limits.idempotencyKeptMs);
}
