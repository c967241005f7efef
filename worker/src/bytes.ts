import { AppError } from "./errors.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();

/** UTF-8 in a buffer of its own, which is what WebCrypto and `fetch` want to be promised. */
export const toBytes = (text: string): Bytes => new Uint8Array(encoder.encode(text));

export function concat(chunks: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    out.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return out;
}

/**
 * Reads a whole body, counting what really arrives.
 * @throws AppError `payload_too_large`
 */
export async function readBounded(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<Bytes> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(chunks);
    total += value.byteLength;
    if (total > maxBytes) {
      await reader.cancel().catch(() => undefined);
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
}

/**
 * Passes a body on, counting it. The stream fails with `payload_too_large` after `maxBytes`, and with
 * `request_timeout` when the sender breaks off, so that neither is taken for a fault of whoever reads it.
 */
export function boundStream(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): ReadableStream<Uint8Array> {
  const reader = wideReader(stream);
  let total = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw brokenOff(cause);
      });
      if (done || !value) return controller.close();
      total += value.byteLength;
      if (total <= maxBytes) return controller.enqueue(value);
      await reader.cancel().catch(() => undefined);
      throw tooLarge(maxBytes);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/**
 * Passes a body on as it is asked for, and tells when it has ended, failed, or was given up, whichever comes first.
 * @param stopWith asked before each piece is passed on: `null` = it may be, else what ends the body in its place, which
 * are last words or an error
 */
export function untilEnd(
  stream: ReadableStream<Uint8Array>,
  onEnd: () => void,
  stopWith: () => Promise<Bytes | AppError | null>,
): ReadableStream<Uint8Array> {
  const reader = wideReader(stream);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch((cause: unknown) => {
          onEnd();
          throw cause;
        });
        if (done || !value) {
          onEnd();
          return controller.close();
        }
        const stop = await stopWith();
        if (stop === null) return controller.enqueue(value);
        onEnd();
        // Not awaited: who keeps on sending need not agree.
        reader.cancel().catch(() => undefined);
        if (stop instanceof AppError) throw stop;
        controller.enqueue(stop);
        controller.close();
      },
      cancel(reason) {
        onEnd();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

const pieceBytes = 64 * 1024;

/** Reads in large pieces where the stream lets its reader say so: workerd's hand out 4 KiB at a time otherwise. */
function wideReader(stream: ReadableStream<Uint8Array>) {
  const reader = byobReader(stream);
  if (!reader) return stream.getReader();
  return {
    read: () => reader.read(new Uint8Array(pieceBytes)),
    cancel: (reason?: unknown) => reader.cancel(reason),
  };
}

/** Node's bodies are not made for it, and there is no other way to ask. */
function byobReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return stream.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}

/**
 * Reads up to `maxBytes`: the whole body when it ends before that, else a stream of all of it, the part that was
 * read included.
 */
export async function readOrStream(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Bytes | ReadableStream<Uint8Array>> {
  const reader = stream.getReader();
  const head: Uint8Array[] = [];
  let total = 0;
  while (total <= maxBytes) {
    const { done, value } = await reader.read();
    if (done) return concat(head);
    total += value.byteLength;
    head.push(value);
  }
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = head.shift();
      if (chunk) return controller.enqueue(chunk);
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/**
 * Passes a body on until it fails, of which only `onBroken` hears: workerd ends a request whose body fails as if it had
 * been complete, so whoever sends one has to break the request off.
 */
export function untilBroken(
  stream: ReadableStream<Uint8Array>,
  onBroken: (cause: unknown) => void,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (cause) {
        onBroken(cause);
        await new Promise(() => undefined);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

const knownBytes = new WeakMap<Response, Bytes>();

/** Remembers the bytes that an answer was made of, so that nobody needs its streams to have them again. */
export function madeOf(bytes: Bytes, response: Response): Response {
  knownBytes.set(response, bytes);
  return response;
}

/** What an answer holds, where that is known without reading; to read it all the same gives the same. */
export const bytesIn = (response: Response): Bytes | undefined => knownBytes.get(response);

/** Gives up a body that does not arrive. @throws AppError `request_timeout` */
export async function inTime<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new AppError("request_timeout", "The body did not arrive in time. Send it again.")),
      deadlineMs,
    );
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** The sender went away in the middle of a body; it will hardly read this. */
export function brokenOff(cause: unknown): AppError {
  return new AppError("request_timeout", "The body ended before it was complete. Send it again.", { cause });
}

export function tooLarge(maxBytes: number): AppError {
  return new AppError("payload_too_large", `The body may have at most ${maxBytes} bytes.`, {
    facts: { maxBytes },
  });
}
