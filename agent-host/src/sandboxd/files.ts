import { fieldTag, frameType } from "#contract/sandboxd";
import { errorFromWire, type SandboxdError } from "#host/sandboxd/error";
import { Fields, FieldWriter } from "#host/sandboxd/fields";
import { type Frame, violation } from "#host/sandboxd/frames";
import type { Link } from "#host/sandboxd/link";
import { ReceiveWindow, SendWindow } from "#host/sandboxd/window";

export type FileStat = { size: number; mode: number; uid: number; gid: number; mtimeMs: number };
export type ReadRequest = { path: string; offset?: number; length?: number };
export type WriteRequest = { path: string; mode?: number };
export type FileRead = { stat: FileStat; body: ReadableStream<Uint8Array> };

/** Opens a file and resolves with its stat; the body asks sandboxd for no more than its reader takes. */
export function readFile(link: Link, request: ReadRequest): Promise<FileRead> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let body: ReadableStreamDefaultController<Uint8Array> | undefined;
    let wanted: (() => void) | undefined;
    let isEnded = false;
    const window = new ReceiveWindow((bytes) => {
      if (!isEnded) link.sendCredit(stream, bytes);
    });
    const fail = (cause: SandboxdError) => {
      isEnded = true;
      reject(cause);
      body?.error(cause);
      wanted?.();
    };
    const hand = () => {
      const chunk = chunks.shift();
      if (chunk !== undefined) {
        window.release(chunk.length);
        body?.enqueue(chunk);
      } else if (isEnded) {
        body?.close();
      } else {
        return false;
      }
      return true;
    };
    const start = (stat: FileStat) => {
      const readable = new ReadableStream<Uint8Array>(
        {
          start: (controller) => {
            body = controller;
          },
          // Resolves when there was something to hand over.
          pull: () =>
            hand()
              ? undefined
              : new Promise<void>((done) => {
                  wanted = done;
                }),
          cancel: () => {
            chunks.length = 0;
            body = undefined;
            if (!isEnded) link.abandon(stream);
            isEnded = true;
          },
        },
        { highWaterMark: 0 },
      );
      resolve({ stat, body: readable });
    };
    const wake = () => {
      if (wanted === undefined || !hand()) return;
      const done = wanted;
      wanted = undefined;
      done();
    };
    const onFrame = (frame: Frame) => {
      if (frame.type === frameType.streamError) {
        link.release(stream);
        fail(decodeError(frame.payload));
      } else if (frame.type === frameType.fileStat && body === undefined) {
        start(decodeStat(frame.payload));
      } else if (frame.type === frameType.data && body !== undefined && frame.payload.length > 0) {
        window.take(frame.payload.length);
        chunks.push(frame.payload);
        wake();
      } else if (frame.type === frameType.end && body !== undefined) {
        link.release(stream);
        isEnded = true;
        wake();
      } else {
        throw violation(`a frame of type ${frame.type} on a file read`);
      }
    };
    const payload = encodePath(request.path);
    if (request.offset !== undefined) payload.putUint(fieldTag.offset, request.offset, 8);
    if (request.length !== undefined) payload.putUint(fieldTag.length, request.length, 8);
    const stream = link.open({ onFrame, onClosed: fail });
    link.send(frameType.fileRead, stream, payload.finish());
  });
}

/** Uploads a file: the old one stays until the last byte has arrived, and when anything fails. */
export async function writeFile(
  link: Link,
  request: WriteRequest,
  body: AsyncIterable<Uint8Array>,
): Promise<FileStat> {
  const fields = encodePath(request.path);
  if (request.mode !== undefined) fields.putUint(fieldTag.mode, request.mode, 4);
  const upload = startUpload(link, fields.finish());
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      // A refusal, or a lost connection, must be heard even when the body has stalled.
      const next = await Promise.race([iterator.next(), upload.refused]);
      if (next.done === true) break;
      await upload.write(next.value);
    }
  } catch (cause) {
    upload.cancel();
    // Not awaited: a stalled generator would answer never.
    iterator.return?.().catch(() => {});
    // When sandboxd refused, that is the answer; otherwise it was the body that failed.
    throw upload.failure ?? cause;
  }
  return upload.finish();
}

function startUpload(link: Link, payload: Buffer) {
  let settle: { resolve: (stat: FileStat) => void; reject: (cause: Error) => void } | undefined;
  let failure: SandboxdError | undefined;
  const result = new Promise<FileStat>((resolve, reject) => {
    settle = { resolve, reject };
  });
  result.catch(() => {});
  const refused = new Promise<never>((_, reject) => {
    result.catch(reject);
  });
  refused.catch(() => {});
  const window = new SendWindow((piece) => link.send(frameType.data, stream, piece));
  const fail = (cause: SandboxdError) => {
    failure = cause;
    window.close(cause);
    settle?.reject(cause);
  };
  const onFrame = (frame: Frame) => {
    if (frame.type === frameType.credit && frame.payload.length === 4) {
      window.grant(frame.payload.readUInt32LE());
    } else if (frame.type === frameType.fileStat) {
      link.release(stream);
      settle?.resolve(decodeStat(frame.payload));
    } else if (frame.type === frameType.streamError) {
      link.release(stream);
      fail(decodeError(frame.payload));
    } else {
      throw violation(`a frame of type ${frame.type} on a file write`);
    }
  };
  const stream = link.open({ onFrame, onClosed: fail });
  link.send(frameType.fileWrite, stream, payload);
  return {
    write: (bytes: Uint8Array) => window.write(bytes),
    refused,
    cancel: () => link.abandon(stream),
    finish: () => {
      if (failure === undefined) link.send(frameType.end, stream);
      return result;
    },
    get failure() {
      return failure;
    },
  };
}

function encodePath(path: string): FieldWriter {
  return new FieldWriter().put(fieldTag.path, path);
}

function decodeStat(payload: Buffer): FileStat {
  const fields = new Fields(payload);
  return {
    size: fields.uint64(fieldTag.size),
    mode: fields.uint32(fieldTag.mode),
    uid: fields.uint32(fieldTag.uid),
    gid: fields.uint32(fieldTag.gid),
    mtimeMs: fields.uint64(fieldTag.mtimeMs),
  };
}

function decodeError(payload: Buffer): SandboxdError {
  const fields = new Fields(payload);
  return errorFromWire(fields.uint16(fieldTag.errorCode), fields.text(fieldTag.message, 512));
}
