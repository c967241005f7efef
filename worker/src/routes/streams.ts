import { eventFrame, eventStreamType } from "#contract/events";
import type { AuthDeps } from "../auth/authenticate.ts";
import { recheck } from "../auth/recheck.ts";
import { type Bytes, toBytes, untilEnd } from "../bytes.ts";
import type { Ctx } from "../context.ts";
import { type AppError, toProblem } from "../errors.ts";
import type { OpenStreams } from "../ratelimit/open-streams.ts";

export type StreamDeps = AuthDeps & { openStreams: OpenStreams };

const recheckMs = 4_000;

/**
 * Serves an answer that goes on in one of the tenant's places for such, which is free again when it has ended, has
 * failed, or nobody reads it any more. It ends as one that breaks off when its caller would not be let in any more.
 * @throws AppError `too_many_streams`, and what `begin` throws
 */
export async function streaming(
  deps: StreamDeps,
  ctx: Ctx,
  begin: () => Promise<Response>,
): Promise<Response> {
  const release = deps.openStreams.open(ctx.tenantId, ctx.limits.openStreams);
  try {
    const response = await begin();
    const stopWith = standing(deps, ctx, response.headers.get("content-type") === eventStreamType);
    if (response.body) return new Response(untilEnd(response.body, release, stopWith), response);
    release();
    return response;
  } catch (cause) {
    release();
    throw cause;
  }
}

/** What ends a stream whose caller is refused by now: an event, which follows whole ones, or where there are none an error. */
function standing(deps: AuthDeps, ctx: Ctx, isEvents: boolean): () => Promise<Bytes | AppError | null> {
  let checkedAtMs = deps.now();
  return async () => {
    const ageMs = deps.now() - checkedAtMs;
    if (ageMs >= 0 && ageMs < recheckMs) return null;
    checkedAtMs += ageMs;
    const refusal = await recheck(deps, ctx);
    return refusal && isEvents ? toBytes(eventFrame("error", toProblem(refusal, ctx.requestId))) : refusal;
  };
}

/**
 * A place for a WebSocket, which its host ends with its key: whoever joins its two ends calls `onEnd` when they have
 * parted. An answer that opens none holds no place.
 * @throws AppError `too_many_streams`, and what `begin` throws
 */
export async function tunneling(
  { openStreams }: Pick<StreamDeps, "openStreams">,
  { tenantId, limits }: Pick<Ctx, "tenantId" | "limits">,
  begin: (onEnd: () => void) => Promise<Response>,
): Promise<Response> {
  const release = openStreams.open(tenantId, limits.openStreams);
  try {
    const response = await begin(release);
    if (response.status !== 101) release();
    return response;
  } catch (cause) {
    release();
    throw cause;
  }
}
