import { requestIdHeader } from "#contract/signature";
import { type Bytes, brokenOff, toBytes, untilBroken } from "../../bytes.ts";
import type { Clock } from "../../context.ts";
import { AppError, appErrorIn } from "../../errors.ts";
import type { HostKeys } from "../../hosts/keys.ts";
import type { Call, Place, PortPlace } from "../provider.ts";
import { unreachable } from "./answers.ts";
import { signedHeaders } from "./sign.ts";

export type Deps = { hostKeys: HostKeys; now: Clock; fetch: typeof fetch };
export type HostRequest = {
  place: PortPlace;
  call: Call;
  method: string;
  pathAndQuery: string;
  generation: string;
  /** Of the caller, or about the answer; the signature does not cover them. */
  headers?: Record<string, string>;
  /** `length` of a stream, where it is known. */
  body?: { content: Bytes | ReadableStream<Uint8Array>; type?: string; length?: number };
  /** Bytes follow in both directions that no signature covers. */
  isTunnel?: true;
};

export type Send = <T>(request: HostRequest, read: (response: Response) => Promise<T>) => Promise<T>;

export const sandboxPath = (place: Pick<Place, "sandboxId">, rest = "") =>
  `/v1/sandboxes/${place.sandboxId}${rest}`;

export function json(value: unknown) {
  return { content: toBytes(JSON.stringify(value)), type: "application/json" };
}

/**
 * Sends one signed request and hands its answer to `read`, all within the call's deadline.
 * @throws AppError `host_unreachable`, with `isOutcomeUnknown` unless no connection was made
 */
export async function callHost<T>(
  deps: Deps,
  request: HostRequest,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  const { place, call, method, generation, body } = request;
  const url = new URL(request.pathAndQuery, place.url);
  // As it goes over the wire: a URL escapes more than was escaped before, such as a single quote.
  const pathAndQuery = url.pathname + url.search;
  const content = body?.content ?? null;
  const isStream = content instanceof ReadableStream;
  const signed = isStream || request.isTunnel ? ("streamed" as const) : content;
  if (signed === "streamed") assertPrivateWire(url);
  const headers = await signedHeaders(deps, { place, method, pathAndQuery, generation, body: signed });
  const abort = new AbortController();
  const giveUp = () => {
    const gone = new Error("The caller has gone.");
    abort.abort(isStream ? brokenOff(gone) : gone);
  };
  const timer = setTimeout(() => abort.abort(new Error("The deadline has passed.")), call.deadlineMs);
  call.signal?.addEventListener("abort", giveUp);
  try {
    if (call.signal?.aborted) giveUp();
    const response = await deps.fetch(url, {
      method,
      headers: {
        ...request.headers,
        ...headers,
        [requestIdHeader]: call.requestId,
        ...(body?.type && { "content-type": body.type }),
        ...(body?.length !== undefined && { "content-length": String(body.length) }),
      },
      // What is native to the runtime stays so: workerd itself breaks off a request whose caller has gone.
      body:
        isStream && body?.length === undefined
          ? untilBroken(content, (cause) => abort.abort(cause))
          : content,
      // Only the host itself may answer for its sandboxes.
      redirect: "manual",
      signal: abort.signal,
      ...(isStream && { duplex: "half" as const }),
    });
    return await read(response);
  } catch (error) {
    // Not every runtime fails a request with what it was broken off for.
    throw appErrorIn(error) ?? appErrorIn(abort.signal.reason) ?? unreachable(error, !neverConnected(error));
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener("abort", giveUp);
  }
}

const connectFailures = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Nothing can have been done when no connection was made; only Node says so. */
function neverConnected(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if ("code" in current && connectFailures.has(String(current.code))) return true;
    current = current.cause;
  }
  return false;
}

/** A streamed body is not in the signature, so nobody on the way may be able to change it. */
function assertPrivateWire(url: URL): void {
  const isLoopback = /^(127(\.\d+){3}|localhost|\[::1\])$/.test(url.hostname);
  if (url.protocol === "https:" || isLoopback) return;
  throw new AppError("internal", "The sandbox's host cannot take a body of this size.", {
    cause: new Error("A streamed body needs an https or loopback host url."),
  });
}
