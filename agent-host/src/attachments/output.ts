import type { AttachMessage } from "#contract/attach";
import { attachClose } from "#contract/attach";
import type { Problem } from "#contract/errors";
import { parseEventFrame } from "#contract/events";
import type { ExitEvent, GapEvent, OutputEvent } from "#contract/exec";
import { HostError } from "../errors.ts";
import type { OutputKind } from "../exec-streams/output-events.ts";
import type { ExecStream } from "../exec-streams/streams.ts";
import type { Peer } from "./peer.ts";

type Attached = Omit<Extract<AttachMessage, { type: "attached" }>, "type" | "after">;

/**
 * Sends what a process prints from the event after `after` on, as fast as the client reads it, until the last event or
 * until somebody else reads. @throws Error when the client has gone; HostError `conflict`
 */
export async function sendOutput(
  peer: Peer,
  { ring }: Pick<ExecStream, "ring">,
  after: number,
  attached: Attached,
): Promise<void> {
  let wake: () => void = () => undefined;
  const cursor = ring.attach(after, () => wake(), "");
  peer.socket.once("close", () => wake());
  let kind: OutputKind = "stdout";
  try {
    await peer.send({ type: "attached", ...attached, after: cursor.after });
    while (!peer.isGone) {
      if (cursor.farewell !== undefined)
        throw new HostError("conflict", "Another reader has taken this stream over.");
      const taken = ring.take(cursor);
      for (const frame of taken) kind = await sendEvent(peer, frame, kind);
      if (ring.isReadToEnd(cursor)) return;
      if (taken.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    ring.detach(cursor);
  }
}

/** @returns the stream that the client now expects output of */
async function sendEvent(peer: Peer, frame: Buffer, expected: OutputKind): Promise<OutputKind> {
  const { event, data, id = 0 } = parseEventFrame(frame.toString());
  // Our own frames, written by the ring from these very types.
  if (event === "stdout" || event === "stderr") {
    if (event !== expected) await peer.send({ type: "stream", stream: event });
    const { data: text, encoding } = data as OutputEvent;
    await peer.send(Buffer.from(text, encoding));
    return event;
  }
  if (event === "gap") await peer.send({ type: "gap", ...(data as GapEvent) });
  if (event === "exit") {
    await peer.send({ type: "exit", seq: id, ...(data as ExitEvent) });
    peer.close(attachClose.exited, "exited");
  }
  if (event === "error") peer.fail(data as Problem);
  return expected;
}
