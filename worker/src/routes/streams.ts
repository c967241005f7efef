import { untilEnd } from "../bytes.ts";
import type { Ctx } from "../context.ts";
import type { OpenStreams } from "../ratelimit/open-streams.ts";

export type StreamDeps = { openStreams: OpenStreams };
type Caller = Pick<Ctx, "tenantId" | "limits">;

/**
 * Serves an answer that goes on in one of the tenant's places for such, which is free again when it has ended, has
 * failed, or nobody reads it any more.
 * @throws AppError `too_many_streams`, and what `begin` throws
 */
export async function streaming(
  { openStreams }: StreamDeps,
  { tenantId, limits }: Caller,
  begin: () => Promise<Response>,
): Promise<Response> {
  const release = openStreams.open(tenantId, limits.openStreams);
  try {
    const response = await begin();
    if (response.body) return new Response(untilEnd(response.body, release), response);
    release();
    return response;
  } catch (cause) {
    release();
    throw cause;
  }
}

/**
 * The same for a WebSocket: whoever joins its two ends calls `onEnd` when they have parted. An answer that opens none
 * holds no place.
 * @throws AppError `too_many_streams`, and what `begin` throws
 */
export async function tunneling(
  { openStreams }: StreamDeps,
  { tenantId, limits }: Caller,
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
