const encoder = new TextEncoder();

/**
 * Node's own hashing where the runtime has it: on a small message it costs a tenth of WebCrypto, which goes through a
 * thread pool. Asked for at run time, so that this file still loads where there is none.
 */
const native = globalThis.process?.getBuiltinModule?.("node:crypto");

type Bytes = Uint8Array<ArrayBuffer>;
/** An HMAC-SHA256 key, imported for WebCrypto only where that is what will be used. */
export type HmacKey = {
  bytes: Bytes;
  subtle: Awaited<ReturnType<typeof crypto.subtle.importKey>> | null;
};

export function toHex(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += byte.toString(16).padStart(2, "0");
  return out;
}

/** `null` for anything but an even number of lowercase hex digits. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) return null;
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

export async function sha256Hex(data: string | Bytes): Promise<string> {
  if (native) return native.createHash("sha256").update(data).digest("hex");
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** @param isNative off only to test what runtimes without Node's hashing do */
export async function importHmacKey(
  secret: string | Bytes,
  isNative = native !== undefined,
): Promise<HmacKey> {
  const bytes = typeof secret === "string" ? new Uint8Array(encoder.encode(secret)) : secret;
  if (isNative) return { bytes, subtle: null };
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return { bytes, subtle: await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"]) };
}

export async function hmac(key: HmacKey, text: string): Promise<Bytes> {
  if (key.subtle) return new Uint8Array(await crypto.subtle.sign("HMAC", key.subtle, encoder.encode(text)));
  if (!native) throw new Error("This key was imported for another runtime.");
  return new Uint8Array(native.createHmac("sha256", key.bytes).update(text).digest());
}

export type LazyKey = () => Promise<HmacKey>;

/** A key for one purpose only, so that what is made for one cannot stand for another. */
export function derivedKey(secret: string, purpose: string): LazyKey {
  let derived: HmacKey | undefined;
  // The value is kept, not its promise: at the edge a request may not wait on another request's promise.
  return async () => {
    derived ??= await importHmacKey(await hmac(await importHmacKey(secret), purpose));
    return derived;
  };
}

/** Compares in constant time. */
export async function hmacMatches(key: HmacKey, mac: Bytes, text: string): Promise<boolean> {
  if (key.subtle) return crypto.subtle.verify("HMAC", key.subtle, mac, encoder.encode(text));
  return equalInConstantTime(toHex(mac), toHex(await hmac(key, text)));
}

/** Looks at every character, so the time taken tells nothing about where two texts differ. */
export function equalInConstantTime(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
