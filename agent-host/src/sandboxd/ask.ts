import { frameType } from "#contract/sandboxd";
import type { SandboxdError } from "#host/sandboxd/error";
import type { Frame } from "#host/sandboxd/frames";
import type { Link } from "#host/sandboxd/link";
import { decodeError } from "#host/sandboxd/stream-error";

/** Asks on a stream of its own; the first answer that `take` makes something of is the last frame. */
export function ask<T>(
  link: Link,
  type: number,
  payload: Buffer,
  take: (frame: Frame) => T | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onFrame = (frame: Frame) => {
      if (frame.type === frameType.streamError) {
        link.release(stream);
        reject(decodeError(frame.payload));
        return;
      }
      const answer = take(frame);
      if (answer === undefined) return;
      link.release(stream);
      resolve(answer);
    };
    const onClosed = (reason: SandboxdError) => reject(reason);
    const stream = link.open({ onFrame, onClosed });
    link.send(type, stream, payload);
  });
}
