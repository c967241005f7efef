import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { limits } from "#contract/limits";
import { begin, type Live } from "../sandboxes/registry.ts";
import { type AskDeps, ask, type PortQuestion, replyHeaders } from "./ask.ts";
import { connectTo } from "./connect.ts";
import { meter } from "./meter.ts";
import type { Opener, OpenPorts } from "./open-ports.ts";

export type PortDeps = AskDeps & { openPorts: OpenPorts };
export type Exchange = {
  question: PortQuestion;
  opener: Opener;
  /** Whole, where the signature covers it; otherwise it is read off the request as the server takes it. */
  body: Buffer | undefined;
  /** Of a body that is streamed, where it was said. */
  bodyBytes: number | undefined;
};

const discardMs = 1_000;

/**
 * Passes one request to a server in a sandbox, and its answer back. Resolves with the status once the answer has begun;
 * from then on it flows by itself, and whatever breaks cuts it off. Waiting for an answer keeps a sandbox from being
 * idle; after that only bytes do.
 * @throws HostError as long as nothing has been answered
 */
export async function exchange(
  deps: PortDeps,
  live: Live,
  { question, opener, body, bodyBytes }: Exchange,
  { incoming, outgoing }: { incoming: IncomingMessage; outgoing: ServerResponse },
): Promise<number> {
  const finish = begin(live, deps.now);
  try {
    const opened = await connectTo(deps, live, { port: question.port, opener }, outgoing);
    const { touch } = opened.open;
    const { request, reply } = ask(deps, opened, question);
    if (body) {
      request.end(body);
    } else {
      const counted = meter(touch, { exactBytes: bodyBytes, maxBytes: limits.portRequestMaxBytes });
      // Not a pipeline, which would destroy the connection that the answer needs when a server reads no further.
      counted.once("error", () => request.destroy());
      incoming.pipe(counted).pipe(request);
      opened.connection.once("close", () => discardRest(incoming, outgoing));
    }
    const { message } = await reply;
    await answer(outgoing, message, question.port, touch);
    return message.statusCode ?? 502;
  } finally {
    finish();
  }
}

/**
 * A server may be done before it has read everything. A connection that is closed with bytes unread takes the answer
 * with it, so they are read for nothing, for a moment past the answer's end.
 */
function discardRest(incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (incoming.readableEnded) return;
  incoming.unpipe();
  incoming.resume();
  const giveUp = () => void setTimeout(() => incoming.readableEnded || incoming.destroy(), discardMs).unref();
  if (outgoing.writableFinished) giveUp();
  else outgoing.once("finish", giveUp);
}

/** Begins an answer; the rest of it follows by itself, and its end closes the connection that it comes from. */
export async function answer(
  outgoing: ServerResponse,
  message: IncomingMessage,
  port: number,
  touch: () => void,
): Promise<void> {
  outgoing.writeHead(message.statusCode ?? 502, replyHeaders(message, port));
  // The first bytes may be long in coming, and what breaks off must have begun: else it would look like our failure.
  outgoing.flushHeaders();
  void pipeline(message, meter(touch), outgoing).catch(() => outgoing.destroy());
}
