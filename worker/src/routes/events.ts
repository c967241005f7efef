import { eventStreamType, execIdHeader } from "#contract/events";
import { EventNumber } from "#contract/exec";
import { AppError } from "../errors.ts";
import { invalid } from "../middleware/query.ts";
import type { ExecEvents } from "../providers/provider.ts";

/** Reading takes a stream over from whoever reads it, which a question about it must not do. */
export function refuseHead(request: Request): void {
  if (request.method !== "HEAD") return;
  throw new AppError("method_not_allowed", "This address takes GET.", { facts: { allow: "GET" } });
}

/** A client that reconnects by itself sends this with the first URL, whose `after` is older. */
export function lastEventId(request: Request): number | undefined {
  const sent = request.headers.get("last-event-id");
  if (sent === null) return undefined;
  const id = EventNumber.safeParse(sent);
  if (!id.success) throw invalid([{ path: "Last-Event-ID", message: "must be the id of an event" }]);
  return id.data;
}

/** A tenant's bytes on our origin: a browser must neither run them nor guess what they are, a proxy not hold them. */
export function eventsAnswer({ execId, stream }: Partial<ExecEvents> & Pick<ExecEvents, "stream">): Response {
  return new Response(stream, {
    headers: {
      "content-type": eventStreamType,
      "content-security-policy": "sandbox",
      "x-content-type-options": "nosniff",
      "x-accel-buffering": "no",
      ...(execId && { [execIdHeader]: execId }),
    },
  });
}
