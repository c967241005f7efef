import { fieldTag, frameType } from "#contract/sandboxd";
import type { SandboxdError } from "#host/sandboxd/error";
import { decodeStat, encodePath, type FileStat, type WriteRequest } from "#host/sandboxd/files";
import { type Frame, violation } from "#host/sandboxd/frames";
import type { Link } from "#host/sandboxd/link";
import { decodeError } from "#host/sandboxd/stream-error";
import { SendWindow } from "#host/sandboxd/window";

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
