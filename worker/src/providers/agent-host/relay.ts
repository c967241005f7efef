import { eventFrame } from "#contract/events";
import { limits } from "#contract/limits";
import { concat, toBytes } from "../../bytes.ts";
import { toProblem } from "../../errors.ts";
import { lost } from "./answers.ts";

const lineFeed = 10;
const lastEvent = /^event: (?:exit|end|error)\n/;
const decoder = new TextDecoder();

/**
 * Passes a host's events on as they are, whole ones only: nobody can use half of an event, and after a break the
 * half would swallow what we add. Where the host's last event is missing, its place is taken by `error`.
 */
export function relayEvents(
  events: ReadableStream<Uint8Array>,
  requestId: string,
): ReadableStream<Uint8Array> {
  const reader = events.getReader();
  let rest = new Uint8Array(0);
  let isOver = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (!isOver) {
          const next = await reader.read().catch((cause: unknown) => ({ done: true as const, cause }));
          const bytes = next.done ? rest : concat([rest, next.value]);
          const end = next.done ? 0 : endOfFrames(bytes, bytes.length);
          rest = bytes.slice(end);
          if (end > 0) {
            const start = endOfFrames(bytes, end - 1);
            isOver = lastEvent.test(decoder.decode(bytes.subarray(start, start + 16)));
            controller.enqueue(bytes.subarray(0, end));
            return;
          }
          if (!next.done && rest.length <= limits.streamEventMaxBytes) continue;
          isOver = true;
          controller.enqueue(lostEvent(requestId, next));
          // Not awaited: a host that keeps on sending need not agree.
          reader.cancel().catch(() => undefined);
        }
        controller.close();
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Without an id: a client that comes back asks for what follows the last event that it really had. */
function lostEvent(requestId: string, next: object): Uint8Array {
  const error = lost("cause" in next ? next.cause : undefined);
  return toBytes(eventFrame("error", toProblem(error, requestId)));
}

/** Where the last whole frame within the first `length` bytes ends; 0 = there is none. */
function endOfFrames(bytes: Uint8Array, length: number): number {
  for (let at = bytes.lastIndexOf(lineFeed, length - 1); at > 0; at = bytes.lastIndexOf(lineFeed, at - 1)) {
    if (bytes[at - 1] === lineFeed) return at + 1;
  }
  return 0;
}
