import type { SandboxId } from "#contract/ids";
import { withOwnProtocol } from "../auth/protocol-key.ts";
import type { Ctx } from "../context.ts";
import { AppError } from "../errors.ts";
import { isHandshake, type Passage } from "./ports.ts";
import { getSandboxProcess, onProcess, type ProcessDeps } from "./processes.ts";

export type AttachDeps = ProcessDeps & { passage: Pick<Passage, "handshake" | "handOn"> };
export type AttachWish = {
  name: string;
  after: number;
  request: Request /** The connection is over. */;
  onEnd: () => void;
};

/** What the two ends agree on. */
const agreed = ["sec-websocket-accept", "sec-websocket-protocol"];

/**
 * Joins a client's WebSocket to the host's, which speaks to the process: nothing here looks at what is said.
 * @throws AppError with the codes of the `attachProcess` row
 */
export async function attachToProcess(
  deps: AttachDeps,
  ctx: Ctx,
  id: SandboxId,
  { name, after, request, onEnd }: AttachWish,
): Promise<Response> {
  if (!isHandshake(request)) {
    // Whose it is comes first, as in every refusal.
    await getSandboxProcess(deps, ctx, id, name);
    throw new AppError("invalid_request", "Open a WebSocket at this address.");
  }
  const handshake = deps.passage.handshake(withOwnProtocol(request.headers));
  const wish = { after, handshake, keyId: ctx.keyId, untilMs: ctx.restrictions.expiresAtMs };
  const answer = await onProcess(deps, ctx, id, name, (place, process, call) =>
    deps.provider.attachProcess(place, process, wish, call),
  );
  const headers = new Headers();
  for (const each of agreed) {
    const value = answer.headers.get(each);
    if (value !== null) headers.set(each, value);
  }
  return deps.passage.handOn(answer, headers, onEnd);
}
