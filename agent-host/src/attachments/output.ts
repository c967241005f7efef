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
  const client: Counting = { kind: "stdout", seq: cursor.after };
  try {
    await peer.send({ type: "attached", ...attached, after: cursor.after });
    while (!peer.isGone) {
      if (cursor.farewell !== undefined)
        throw new HostError("conflict", "Another reader has taken this stream over.");
      const taken = ring.take(cursor);
      for (const frame of taken) await sendEvent(peer, frame, client);
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

/** What a client knows by now: which stream the next output is of, and where it is. */
type Counting = { kind: OutputKind; seq: number };

async function sendEvent(peer: Peer, frame: Buffer, client: Counting): Promise<void> {
  const { event, data, id = 0 } = parseEventFrame(frame.toString());
  // Our own frames, written by the ring from these very types.
  if (event === "stdout" || event === "stderr")
    await sendOutputEvent(peer, event, data as OutputEvent, client);
  if (event === "gap") {
    await peer.send({ type: "gap", ...(data as GapEvent) });
    client.seq = id;
  }
  if (event === "exit") {
    await peer.send({ type: "exit", seq: id, ...(data as ExitEvent) });
    peer.close(attachClose.exited, "exited");
  }
  if (event === "error") peer.fail(data as Problem);
}

async function sendOutputEvent(
  peer: Peer,
  kind: OutputKind,
  { seq, data, encoding }: OutputEvent,
  client: Counting,
): Promise<void> {
  if (kind !== client.kind) await peer.send({ type: "stream", stream: kind });
  client.kind = kind;
  const bytes = Buffer.from(data, encoding);
  await peer.send(bytes);
  client.seq += bytes.length;
  // Bytes that were made text by force, and those beyond `maxOutputBytes`, count and were not sent.
  if (client.seq !== seq) await peer.send({ type: "at", seq });
  client.seq = seq;
}
