import { limits } from "#contract/limits";
import { type Bytes, boundStream, brokenOff, inTime, readBounded, tooLarge } from "../bytes.ts";
import { AppError } from "../errors.ts";
import type { FileBody } from "../providers/provider.ts";
import { invalid } from "./query.ts";

/** A byte order mark is kept, and is then no JSON; bytes that are not UTF-8 are refused. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a JSON body, bounded in bytes and depth.
 * @throws AppError `unsupported_media_type`, `payload_too_large`, `invalid_json`, `invalid_request`
 */
export async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json *(?:; *charset=(?:utf-8|"utf-8"))?$/i.test(type)) {
    throw new AppError("unsupported_media_type", "Send the body as application/json.");
  }
  refuseEncoding(request);
  const text = decode(await readBytes(request, limits.jsonBodyMaxBytes));
  const value = parse(text);
  // A name that comes twice would mean its first value to one reader and its last to another.
  if (namesIn(value) !== namesWritten(text))
    throw invalid([{ path: "", message: "must have each name once" }]);
  return value;
}

/**
 * The whole body of a request, at most `maxBytes` of it.
 * @throws AppError `payload_too_large`, `request_timeout`
 */
export async function readBytes(request: Request, maxBytes: number): Promise<Bytes> {
  const declared = declaredLength(request);
  if (declared !== null && declared > maxBytes) throw tooLarge(maxBytes);
  // A server delivers no more than what was declared, so this much may be read in one go, which is much faster.
  if (declared === null)
    return request.body ? arriving(readBounded(request.body, maxBytes)) : new Uint8Array(0);
  const bytes = new Uint8Array(await arriving(request.arrayBuffer()));
  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

async function arriving<T>(reading: Promise<T>): Promise<T> {
  try {
    return await inTime(reading, limits.bodyDeadlineMs);
  } catch (error) {
    throw error instanceof AppError ? error : brokenOff(error);
  }
}

/**
 * A body of bytes as a stream: as it comes when its length is declared, since a server delivers no more than that;
 * else one that breaks off when it grows past `maxBytes`.
 * @throws AppError `payload_too_large` at once when that much is declared, `unsupported_media_type`
 */
export function openBytes(request: Request, maxBytes: number): FileBody {
  refuseEncoding(request);
  const length = declaredLength(request);
  if ((length ?? 0) > maxBytes) throw tooLarge(maxBytes);
  // No stream is made for so little: its bytes are read in one go when they are wanted.
  if (length !== null && length <= limits.signedBodyMaxBytes)
    return { bytes: () => readBytes(request, maxBytes) };
  if (!request.body) return { stream: new ReadableStream({ start: (c) => c.close() }) };
  return length === null ? { stream: boundStream(request.body, maxBytes) } : { stream: request.body, length };
}

/**
 * All of a body that is wanted as bytes.
 * @throws AppError `payload_too_large`, `request_timeout`
 */
export function allOf(body: FileBody, maxBytes: number): Promise<Bytes> {
  return "bytes" in body ? body.bytes() : inTime(readBounded(body.stream, maxBytes), limits.bodyDeadlineMs);
}

function declaredLength(request: Request): number | null {
  const declared = request.headers.get("content-length");
  return declared !== null && /^\d{1,15}$/.test(declared) ? Number(declared) : null;
}

/** What unpacks to more than it seems is not taken at all. */
function refuseEncoding(request: Request): void {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() === "identity") return;
  throw new AppError("unsupported_media_type", "Send the body without a content encoding.");
}

function decode(bytes: Bytes): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw notJson();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notJson();
  }
}

/** Without the parser's own error: it quotes the body, which may hold secrets and is never logged. */
const notJson = () => new AppError("invalid_json", "The body is not valid JSON in UTF-8.");

/** Counts names, and refuses depth and width that schemas would go into, and the one that is not data to JavaScript. */
function namesIn(value: unknown, depth = 0): number {
  if (typeof value !== "object" || value === null) return 0;
  if (depth >= limits.jsonDepthMax) {
    throw invalid([{ path: "", message: `must not be nested deeper than ${limits.jsonDepthMax}` }]);
  }
  if (Object.hasOwn(value, "__proto__"))
    throw invalid([{ path: "__proto__", message: "cannot be used as a name" }]);
  const inside = Object.values(value);
  if (!Array.isArray(value) && inside.length > limits.jsonNamesMax) {
    throw invalid([
      { path: "", message: `must not have more than ${limits.jsonNamesMax} names in one object` },
    ]);
  }
  let count = Array.isArray(value) ? 0 : inside.length;
  for (const inner of inside) count += namesIn(inner, depth + 1);
  return count;
}

/** How many names a JSON document has as it is written: outside of strings, a colon stands after names only. */
function namesWritten(json: string): number {
  let count = 0;
  for (let i = 0; i < json.length; i++) {
    if (json[i] === ":") count++;
    else if (json[i] === '"') i = endOfString(json, i);
  }
  return count;
}

/** Where the string that begins at `start` has its closing quote. */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (i < json.length && json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
  return i;
}
