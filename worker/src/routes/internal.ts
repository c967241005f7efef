import { Heartbeat } from "#contract/host";
import { limits } from "#contract/limits";
import { UsageReport } from "#contract/usage";
import { refusedKeysAmong } from "../auth/refused-keys.ts";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import { recordHeartbeat } from "../hosts/heartbeat.ts";
import type { HostKeys } from "../hosts/keys.ts";
import { verifyHostRequest } from "../hosts/verify.ts";
import type { Log } from "../log.ts";
import { readBytes } from "../middleware/body.ts";
import { answerProblem } from "../middleware/problem.ts";
import { parseWith } from "../middleware/query.ts";
import { reconcile } from "../sandboxes/reconcile.ts";
import { ingest } from "../usage/ingest.ts";
import type { App } from "./mount.ts";

type Deps = { db: Db; directory: Directory; hostKeys: HostKeys; log: Log; now: Clock };

/** What hosts call. Not rows of the public contract: the caller proves itself by its signature, not by a key. */
export function mountInternal(app: App, deps: Deps): void {
  app.post("/internal/v1/heartbeat", async (c) => {
    c.get("state").route = "heartbeat";
    try {
      return Response.json(await heartbeat(deps, c.req.raw, c.get("state").startedAtMs));
    } catch (error) {
      return answerProblem(c, error);
    }
  });
  app.post("/internal/v1/usage", async (c) => {
    c.get("state").route = "usage";
    try {
      return Response.json(await usage(deps, c.req.raw));
    } catch (error) {
      return answerProblem(c, error);
    }
  });
}

function verified(deps: Deps, request: Request) {
  const { pathname, search } = new URL(request.url);
  return verifyHostRequest(deps, {
    method: request.method,
    pathAndQuery: pathname + search,
    headers: request.headers,
    readBody: () => readBytes(request, limits.jsonBodyMaxBytes),
  });
}

/** A copy of one that was seen is harmless: each event counts once. */
async function usage(deps: Deps, request: Request) {
  const { hostId, body } = await verified(deps, request);
  return ingest(deps, hostId, parseWith(UsageReport, jsonOf(body)));
}

async function heartbeat(deps: Deps, request: Request, arrivedAtMs: number) {
  const signed = await verified(deps, request);
  const said = parseWith(Heartbeat, jsonOf(signed.body));
  await recordHeartbeat(deps, signed, said);
  const reply = await reconcile(deps, said, { signedAtMs: signed.createdMs, arrivedAtMs });
  const { portKeys = [] } = said;
  // A connection outlives the request that has opened it, and must not outlive its key.
  const refusedKeys = portKeys.length > 0 ? await refusedKeysAmong(deps, portKeys) : [];
  return { ...reply, refusedKeys };
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new AppError("invalid_json", "The body is not valid JSON.", { cause });
  }
}
