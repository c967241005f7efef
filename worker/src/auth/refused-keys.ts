import type { KeyId } from "#contract/ids";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { refusedAmong } from "./store.ts";

/** Which of these keys no request would be served for by now; read from the database, not from a cache. */
export function refusedKeysAmong(deps: { db: Db; now: Clock }, ids: readonly KeyId[]): Promise<KeyId[]> {
  return refusedAmong(deps.db, ids, deps.now());
}
