import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Answer, headerOf, ResponseParser } from "#test/bench/load/response";

const crlf = (...lines: string[]) => lines.join("\r\n");
const withLength = (body: Buffer) =>
  Buffer.concat([Buffer.from(crlf("HTTP/1.1 200 OK", `Content-Length: ${body.length}`, "", "")), body]);
const inChunks = (pieces: readonly Buffer[]) =>
  Buffer.concat([
    Buffer.from(crlf("HTTP/1.1 201 Created", "transfer-encoding: chunked", "", "")),
    ...pieces.flatMap((piece) => [
      Buffer.from(`${piece.length.toString(16)}\r\n`),
      piece,
      Buffer.from("\r\n"),
    ]),
    Buffer.from("0\r\n\r\n"),
  ]);

/** Pushes bytes cut into parts of these sizes, the last one as long as what is left. */
function pushed(parser: ResponseParser, bytes: Buffer, sizes: readonly number[]): Answer | undefined {
  let at = 0;
  let answer: Answer | undefined;
  for (const size of [...sizes, bytes.length]) {
    const part = bytes.subarray(at, at + size);
    at += part.length;
    if (part.length > 0) answer = parser.push(part);
    if (at < bytes.length) expect(answer).toBeUndefined();
  }
  return answer;
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
const bytes = fc.uint8Array({ maxLength: 300 }).map((values) => Buffer.from(values));

describe("answers on a connection", () => {
  test("come out whole however the network cuts them, one after the other", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes, sizes), { minLength: 1, maxLength: 3 }), (answers) => {
        const parser = new ResponseParser();
        for (const [body, cuts] of answers) {
          const answer = pushed(parser, withLength(body), cuts);
          expect(answer?.status).toBe(200);
          expect(answer?.body.equals(body)).toBe(true);
        }
      }),
    );
  });

  test("in chunks are put together again", () => {
    const piece = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((values) => Buffer.from(values));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), sizes, (pieces, cuts) => {
        const answer = pushed(new ResponseParser(), inChunks(pieces), cuts);
        expect(answer?.status).toBe(201);
        expect(answer?.body.equals(Buffer.concat(pieces))).toBe(true);
      }),
    );
  });

  test("hand the body of a success on as it comes, and keep the one of a refusal", () => {
    const parser = new ResponseParser();
    const parts: string[] = [];
    parser.expect((part) => parts.push(part.toString()));
    pushed(parser, inChunks([Buffer.from("abc"), Buffer.from("de")]), []);
    expect(parts).toEqual(["abc", "de"]);
    const refusal = Buffer.from(crlf("HTTP/1.1 404 Not Found", "content-length: 2", "", "no"));
    expect(parser.push(refusal)?.body.toString()).toBe("no");
    parser.expect(undefined);
    expect(parser.push(withLength(Buffer.from("ok")))?.body.toString()).toBe("ok");
    expect(parts).toHaveLength(2);
  });

  test("without a body end with their head", () => {
    const parser = new ResponseParser();
    const none = Buffer.from(crlf("HTTP/1.1 204 No Content", "x-request-id: req_1", "", ""));
    expect(parser.push(none)).toMatchObject({ status: 204, body: Buffer.alloc(0) });
    expect(parser.push(withLength(Buffer.from("next")))?.body.toString()).toBe("next");
  });

  test.each([
    ["is no HTTP", "SSH-2.0-OpenSSH\r\n\r\n"],
    ["says nothing of its length", crlf("HTTP/1.1 200 OK", "x: y", "", "abc")],
    ["goes on behind its end", crlf("HTTP/1.1 200 OK", "content-length: 2", "", "abc")],
    ["has a chunk without a size", crlf("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "zz", "")],
    [
      "has a chunk that is longer than it says",
      crlf("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "1", "abc"),
    ],
    ["has no end to its head", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}`],
  ])("one that %s is refused", (_, text) => {
    expect(() => new ResponseParser().push(Buffer.from(text))).toThrow();
  });

  test("headers are found by name in any case, and not in other headers' values", () => {
    const head = crlf("HTTP/1.1 200 OK", "X-Other: x-request-id: no", "X-Request-Id: req_2");
    expect(headerOf(head, "x-request-id")).toBe("req_2");
    expect(headerOf(head, "content-length")).toBeUndefined();
  });
});
