export type Answer = { status: number; head: string; body: Buffer };
/** Gets the body of a success as it comes; the answer's own is empty then. */
export type OnPart = (part: Buffer) => void;

const headMaxBytes = 64 * 1024;
const headEnd = Buffer.from("\r\n\r\n");
const lineEnd = Buffer.from("\r\n");
const nothing = Buffer.alloc(0);

/**
 * Reads the answers on one connection, one after the other. It knows as much of HTTP/1.1 as our servers send: a
 * length, or chunks without trailers. Anything else is an error and not a guess.
 */
export class ResponseParser {
  #rest: Buffer = nothing;
  #head = "";
  #status = 0;
  #parts: Buffer[] = [];
  #onPart: OnPart | undefined;
  /** Bytes of the body, or of the chunk, that are still to come. */
  #missing = 0;
  #state: "head" | "length" | "chunk-size" | "chunk" | "chunk-end" | "last-line" = "head";

  /** Says where the next answer's body goes. */
  expect(onPart: OnPart | undefined): void {
    this.#onPart = onPart;
  }

  /** @returns the answer once it is whole. @throws Error for what is not HTTP, or goes on behind an answer */
  push(bytes: Buffer): Answer | undefined {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#step());
    if (this.#state !== "head" || this.#status === 0) return undefined;
    if (this.#rest.length > 0) throw new Error("There is more on the connection than the answer.");
    const body = this.#parts.length === 1 ? (this.#parts[0] ?? nothing) : Buffer.concat(this.#parts);
    const answer = { status: this.#status, head: this.#head, body };
    this.#status = 0;
    this.#parts = [];
    return answer;
  }

  /** Goes one part further. @returns false when more bytes are needed, or the answer is whole */
  #step(): boolean {
    switch (this.#state) {
      case "head":
        return this.#status === 0 && this.#readHead();
      case "length":
        return this.#readBody("head");
      case "chunk-size":
        return this.#readChunkSize();
      case "chunk":
        return this.#readBody("chunk-end");
      case "chunk-end":
        return this.#readEmptyLine("chunk-size");
      case "last-line":
        return this.#readEmptyLine("head");
    }
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf(headEnd);
    if (end === -1) {
      if (this.#rest.length > headMaxBytes) throw new Error("The head of an answer has no end.");
      return false;
    }
    const head = this.#rest.toString("latin1", 0, end);
    this.#rest = this.#rest.subarray(end + headEnd.length);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
    if (status === undefined) throw new Error(`This is no answer: ${JSON.stringify(head.slice(0, 40))}.`);
    this.#head = head;
    this.#status = Number(status);
    this.#beginBody();
    return true;
  }

  #beginBody(): void {
    if (this.#status === 204 || this.#status === 304) return;
    const length = headerOf(this.#head, "content-length");
    if (length !== undefined) {
      this.#missing = Number(length);
      this.#state = this.#missing === 0 ? "head" : "length";
    } else if (headerOf(this.#head, "transfer-encoding")?.toLowerCase() === "chunked") {
      this.#state = "chunk-size";
    } else {
      throw new Error("An answer says neither its length nor that it comes in chunks.");
    }
  }

  #readBody(next: "head" | "chunk-end"): boolean {
    const part = this.#rest.subarray(0, this.#missing);
    if (part.length > 0) this.#take(part);
    this.#rest = this.#rest.subarray(part.length);
    this.#missing -= part.length;
    if (this.#missing === 0) this.#state = next;
    return this.#missing === 0 && next !== "head";
  }

  #take(part: Buffer): void {
    if (this.#onPart && this.#status < 300) this.#onPart(part);
    else this.#parts.push(part);
  }

  #readChunkSize(): boolean {
    const end = this.#rest.indexOf(lineEnd);
    if (end === -1) return false;
    const line = this.#rest.toString("latin1", 0, end);
    if (!/^[0-9a-fA-F]{1,8}$/.test(line)) throw new Error(`${JSON.stringify(line)} is no size of a chunk.`);
    this.#rest = this.#rest.subarray(end + lineEnd.length);
    this.#missing = Number.parseInt(line, 16);
    this.#state = this.#missing === 0 ? "last-line" : "chunk";
    return true;
  }

  #readEmptyLine(next: "head" | "chunk-size"): boolean {
    if (this.#rest.length < lineEnd.length) return false;
    if (!this.#rest.subarray(0, lineEnd.length).equals(lineEnd)) throw new Error("A chunk does not end.");
    this.#rest = this.#rest.subarray(lineEnd.length);
    this.#state = next;
    return next !== "head";
  }
}

/** A header of an answer's head, whatever the case of its name. */
export function headerOf(head: string, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}: *([^\\r\\n]*)`, "i").exec(head)?.[1];
}
