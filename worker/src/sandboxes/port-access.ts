import type { SandboxId } from "#contract/ids";
import type { PortAccess } from "#contract/ports";
import type { Ctx } from "../context.ts";
import { fromHex, hmac, hmacMatches, type LazyKey, toHex } from "../crypto.ts";
import type { Db } from "../db/client.ts";
import { sandboxNotFound } from "../errors.ts";
import { findSandbox } from "./store.ts";

type Deps = { db: Db; trafficKey: LazyKey; sandboxDomain: string };

/**
 * How the ports of a sandbox are reached by host name, and with what. The token is derived from the id, so that it is
 * kept nowhere and ends with the sandbox.
 * @throws AppError `sandbox_not_found`
 */
export async function readPortAccess(deps: Deps, ctx: Ctx, id: SandboxId): Promise<PortAccess> {
  const row = await findSandbox(deps.db, ctx.tenantId, id);
  if (!row) throw sandboxNotFound();
  return {
    publicPorts: row.publicPorts,
    hostName: `{port}-${id}.${deps.sandboxDomain}`,
    trafficToken: toHex(await hmac(await deps.trafficKey(), id)),
  };
}

/** Whether this is the token of this sandbox; asks nobody. */
export async function isTrafficToken(
  { trafficKey }: Pick<Deps, "trafficKey">,
  id: SandboxId,
  token: string,
): Promise<boolean> {
  const mac = token.length === 64 ? fromHex(token) : null;
  return mac !== null && hmacMatches(await trafficKey(), mac, id);
}
