import type { WrittenFile } from "#contract/files";
import { absolutePath } from "#contract/text";
import type { FileStat } from "../sandboxd/files.ts";
import { asHostError } from "./failures.ts";
import { begin, type Live, whileActive } from "./registry.ts";

export type FileDeps = { now: () => number };
export type OpenFile = { size: number; mode: string; body: ReadableStream<Uint8Array> };

/** Opens a file as the sandbox user; its bytes arrive as they are asked for. @throws HostError */
export function readFileIn(deps: FileDeps, live: Live, path: string): Promise<OpenFile> {
  return whileActive(live, deps.now, async () => {
    try {
      const { stat, body } = await live.member.connection.readFile({ path: absolutePath(path) });
      const whole = wholeBody(body, stat.size, begin(live, deps.now));
      return { size: stat.size, mode: octalMode(stat), body: whole };
    } catch (cause) {
      throw asHostError(cause, live, "file_not_found");
    }
  });
}

/** Writes a file as the sandbox user; until the last byte has come the old content stays. @throws HostError */
export function writeFileIn(
  deps: FileDeps,
  live: Live,
  path: string,
  body: AsyncIterable<Uint8Array>,
): Promise<WrittenFile> {
  return whileActive(live, deps.now, async () => {
    try {
      const stat = await live.member.connection.writeFile({ path: absolutePath(path) }, body);
      return { path: absolutePath(path), size: stat.size, mode: octalMode(stat) };
    } catch (cause) {
      throw asHostError(cause, live, "file_not_found");
    }
  });
}

const octalMode = (stat: FileStat) => stat.mode.toString(8).padStart(4, "0");

/**
 * The body, counted as an operation until its last byte. It breaks when it is not as long as was said: what is sent
 * past an answer's length would be read as the next answer on that connection, which may be another tenant's.
 */
function wholeBody(
  body: ReadableStream<Uint8Array>,
  size: number,
  finish: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let leftBytes = size;
  const next = async () => {
    const { done, value } = await reader.read();
    leftBytes -= value?.byteLength ?? 0;
    if (leftBytes < 0 || (done && leftBytes > 0)) throw new Error("The file has another size than was said.");
    return value;
  };
  const giveUp = (cause: unknown) => {
    finish();
    return reader.cancel(cause);
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const value = await next();
          if (value) return controller.enqueue(value);
          finish();
          controller.close();
        } catch (cause) {
          // A body that has broken by itself cannot be cancelled any more.
          await giveUp(cause).catch(() => undefined);
          throw cause;
        }
      },
      cancel: giveUp,
    },
    { highWaterMark: 0 },
  );
}
