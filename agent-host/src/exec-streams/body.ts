import { eventFrame, keepAliveComment } from "#contract/events";
import { HostError } from "../errors.ts";
import { problemOf } from "../problem.ts";
import type { ExecStream } from "./streams.ts";

const comment = Buffer.from(keepAliveComment);

/** A ring's events after a number, as the bytes of an answer: up to the last event, or until somebody else reads. */
export function eventBody(
  { ring, silenceMs }: Pick<ExecStream, "ring" | "silenceMs">,
  after: number,
  requestId: string,
): ReadableStream<Uint8Array> {
  let wake: () => void = () => undefined;
  let isGone = false;
  const replaced = new HostError("conflict", "Another reader has taken this stream over.");
  const farewell = eventFrame("error", problemOf(replaced, requestId));
  const cursor = ring.attach(after, () => wake(), farewell);

  /** @returns false when there was nothing new for as long as a connection may be silent. */
  const somethingNew = () =>
    new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), silenceMs);
      wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (!isGone) {
          if (cursor.farewell !== undefined) {
            controller.enqueue(Buffer.from(cursor.farewell));
            controller.close();
            return;
          }
          const taken = ring.take(cursor);
          if (taken.length > 0) controller.enqueue(Buffer.concat(taken));
          if (ring.isReadToEnd(cursor)) {
            ring.detach(cursor);
            controller.close();
            return;
          }
          if (taken.length > 0) return;
          if (await somethingNew()) continue;
          controller.enqueue(comment);
          return;
        }
      },
      cancel() {
        isGone = true;
        ring.detach(cursor);
        wake();
      },
    },
    { highWaterMark: 0 },
  );
}
