/** Keeps the first bytes of a stream and remembers whether there were more. */
export class CappedOutput {
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  isTruncated = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(bytes: Buffer): void {
    const room = this.#maxBytes - this.#bytes;
    if (bytes.length > room) this.isTruncated = true;
    if (room <= 0) return;
    const kept = bytes.subarray(0, room);
    this.#chunks.push(kept);
    this.#bytes += kept.length;
  }

  /** `utf8` puts U+FFFD where the bytes are not UTF-8; `base64` keeps them. */
  text(encoding: "utf8" | "base64"): string {
    return Buffer.concat(this.#chunks).toString(encoding);
  }
}
