import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { limits } from "#contract/limits";
import { HostError } from "../errors.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
export type UploadEnv = {
  Bindings: HttpBindings;
  Variables: { uploadReader: Reader | undefined; isPassedOn: boolean | undefined };
};

/** What is read of a refused upload for the sake of its connection; more would be work for nothing. */
const discardMaxBytes = 64 * 1024 * 1024;
const discardMaxMs = 1_000;

/** The chunks of a streamed body, as many as a file may have. */
export async function* uploadChunks<E extends UploadEnv>(c: Context<E>): AsyncGenerator<Uint8Array> {
  const reader = c.req.raw.body?.getReader();
  c.set("uploadReader", reader);
  let bytes = 0;
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    bytes += read.value.byteLength;
    if (bytes > limits.fileMaxBytes) throw new HostError("payload_too_large", "The file is too large.");
    yield read.value;
  }
}

/**
 * Reads the rest of an upload that was refused, or says that its connection must not be used again. An answer that
 * leaves a body unread has its connection cut half a second later, and the control plane keeps its connections
 * for all tenants: the cut would meet somebody else's command.
 */
export const settleUpload = createMiddleware<UploadEnv>(async (c, next) => {
  await next();
  // Only uploads are streamed; every other body is read before anything else is done, or passed on past us.
  if (c.req.method !== "PUT" || c.env.incoming.readableEnded || c.get("isPassedOn")) return;
  const reader = c.get("uploadReader") ?? c.req.raw.body?.getReader();
  if (reader && (await isDiscarded(reader))) return;
  c.res.headers.set("connection", "close");
});

async function isDiscarded(reader: Reader): Promise<boolean> {
  // Giving the lock up fails the read that waits; a sender who stalls is not waited for.
  const deadline = setTimeout(() => reader.releaseLock(), discardMaxMs);
  try {
    for (let bytes = 0; bytes <= discardMaxBytes; ) {
      const { done, value } = await reader.read();
      if (done) return true;
      bytes += value.byteLength;
    }
    return false;
  } catch {
    return false;
  } finally {
    clearTimeout(deadline);
  }
}
