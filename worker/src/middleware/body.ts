import { limits } from "#contract/limits";
import { type Bytes, boundStream, brokenOff, inTime, readBounded, tooLarge } from "../bytes.ts";
import { AppError } from "../errors.ts";
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
  const value = parse(await readBytes(request, limits.jsonBodyMaxBytes));
  refuseStrangeShapes(value);
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
 * A body of bytes as a stream that breaks off when it grows past `maxBytes`.
 * @throws AppError `payload_too_large` at once when that much is declared, `unsupported_media_type`
 */
export function openBytes(request: Request, maxBytes: number): ReadableStream<Uint8Array> {
  refuseEncoding(request);
  if ((declaredLength(request) ?? 0) > maxBytes) throw tooLarge(maxBytes);
  return request.body ? boundStream(request.body, maxBytes) : new ReadableStream({ start: (c) => c.close() });
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

function parse(bytes: Bytes): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    // The parser's own error quotes the body, which may hold secrets and is never logged.
    throw new AppError("invalid_json", "The body is not valid JSON in UTF-8.");
  }
}

/** Refuses depth and width that schemas would go into, and the one key that is not data to JavaScript. */
function refuseStrangeShapes(value: unknown, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
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
  for (const inner of inside) refuseStrangeShapes(inner, depth + 1);
}
