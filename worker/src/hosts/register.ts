import type { HostIdentity } from "#contract/host";
import { newHostCode, newHostId, type RandomBytes } from "#contract/ids";
import type { Clock } from "../context.ts";
import { toHex } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { HostKeys } from "./keys.ts";
import { insertHost } from "./store.ts";

type Deps = { db: Db; hostKeys: HostKeys; now: Clock; randomBytes: RandomBytes };

/** A code has three random characters, so taken ones are met long before 46,656 hosts. */
const attemptsMax = 20;

/**
 * Makes a host known under a code that was never used before. The answer is what the host keeps as `host.json`.
 * @throws AppError `conflict` when no free code was found.
 */
export async function registerHost(deps: Deps, controlUrl: string): Promise<HostIdentity> {
  const hostId = newHostId(deps.randomBytes);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const code = newHostCode(deps.randomBytes);
    if (!(await insertHost(deps.db, { id: hostId, code, createdAtMs: deps.now() }))) continue;
    return { hostId, code, key: toHex(await deps.hostKeys.rawKeyOf(hostId)), controlUrl };
  }
  throw new AppError("conflict", "No free host code was found. Try again.");
}
