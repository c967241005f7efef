import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headersFromPort, headersToPort, rebaseLocation } from "#contract/port-headers";
import { portAddressOf } from "#worker/middleware/port-address";

const key = `e2b_${"0".repeat(40)}`;
const id = "h0aa".padEnd(24, "x");
const none = () => null;
const names = (headers: readonly (readonly [string, string])[]) => headers.map(([name]) => name).sort();

describe("to a sandbox", () => {
  test("no credential goes where the origin is shared, and none of ours where it is the server's own", () => {
    const sent = [
      ["Authorization", `Bearer ${key}`],
      ["X-API-Key", key.toUpperCase()],
      ["Cookie", `a=1; k=${key}`],
      ["Accept", "*/*"],
    ] as const;
    expect(names(headersToPort(sent, "shared"))).toEqual(["accept"]);
    expect(names(headersToPort(sent, "own"))).toEqual(["accept"]);
    const theirs = [
      ["authorization", "Basic eA=="],
      ["cookie", "a=1"],
      ["x-api-key", "their-own"],
    ] as const;
    expect(headersToPort(theirs, "shared")).toEqual([]);
    expect(names(headersToPort(theirs, "own"))).toEqual(["authorization", "cookie", "x-api-key"]);
  });

  test("what names a header of one connection takes it along", () => {
    const sent = [
      ["Connection", "keep-alive, X-Hop ,TE"],
      ["X-Hop", "1"],
      ["TE", "trailers"],
      ["Transfer-Encoding", "chunked"],
      ["Upgrade", "h2c"],
      ["X-Kept", "1"],
    ] as const;
    expect(names(headersToPort(sent, "own"))).toEqual(["x-kept"]);
  });

  test("nobody but us says where a request came from", () => {
    const sent = [
      "x-forwarded-for",
      "X-Forwarded-Host",
      "forwarded",
      "x-sandgate-tenant",
      "cf-ray",
      "x-real-ip",
    ];
    expect(
      headersToPort(
        sent.map((name) => [name, "1"] as const),
        "own",
      ),
    ).toEqual([]);
  });
});

describe("from a sandbox", () => {
  test("whatever is sent, a shared origin has one policy, no cookie and nothing of ours that is forged", () => {
    const name = fc.oneof(
      fc.constantFrom(
        "Set-Cookie",
        "CONTENT-SECURITY-POLICY",
        "X-Content-Type-Options",
        "X-Sandgate-Port",
        "Refresh",
      ),
      fc.stringMatching(/^[A-Za-z-]{1,20}$/),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string({ maxLength: 20 }))), (headers) => {
        const passed = headersFromPort(headers, "shared", none);
        const all = (wanted: string) => passed.filter(([each]) => each === wanted).map(([, value]) => value);
        expect(all("content-security-policy")).toEqual(["sandbox"]);
        expect(all("x-content-type-options")).toEqual(["nosniff"]);
        for (const gone of ["set-cookie", "refresh", "x-sandgate-port", "connection"])
          expect(all(gone)).toEqual([]);
      }),
    );
  });

  test.each([
    ["a=1; Domain=sandboxes.test; Path=/", "a=1; Path=/"],
    ["a=1;domain=.sandboxes.test", "a=1"],
    ["a=1; DOMAIN = x ; Secure", "a=1; Secure"],
    ["a=1; domain; Secure", "a=1; Secure"],
    ["a=1; Domain=x; domain=y", "a=1"],
    ["a=domain=1; Path=/", "a=domain=1; Path=/"],
  ])("a cookie stays on its own name: %s", (sent, passed) => {
    expect(headersFromPort([["Set-Cookie", sent]], "own", none)).toEqual([["set-cookie", passed]]);
  });

  test("no redirect on a shared origin leads to another path of ours", () => {
    const prefix = `/v1/sandboxes/${id}/ports/80`;
    const at = { url: `https://api.test${prefix}/x`, prefix, target: "/x", port: 80 };
    const piece = fc.constantFrom(
      "/",
      "..",
      "//",
      "https:",
      "http:",
      "api.test",
      "localhost",
      ":80",
      "\\",
      "@",
      "?",
      "#",
      "v1",
      "%2e",
      "\t",
      " ",
      "x",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const location = rebaseLocation(pieces.join(""), at);
        if (location === null) return;
        const to = new URL(location, at.url);
        const isOurs = to.host === "api.test";
        if (isOurs) expect(to.pathname.startsWith(`${prefix}/`) || to.pathname === prefix).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("a name", () => {
  const of = (host: string, headers: Record<string, string> = {}) =>
    portAddressOf(`http://${host}/`, new Headers(headers), "sandboxes.test");

  test.each([
    [`80-${id}.sandboxes.test`, { sandboxId: id, port: 80, origin: "own" }],
    [`80-${id}.sandboxes.test:8787`, { sandboxId: id, port: 80, origin: "own" }],
    [`65535-${id}-tail.sandboxes.test`, { sandboxId: id, port: 65_535, origin: "own" }],
    [`80-${id}.sub.sandboxes.test`, expect.objectContaining({ fault: expect.any(String) })],
    [`0-${id}.sandboxes.test`, expect.objectContaining({ fault: expect.any(String) })],
    [`80-short.sandboxes.test`, expect.objectContaining({ fault: expect.any(String) })],
    [`80-${id}.evilsandboxes.test`, null],
    [`80-${id}.sandboxes.test.evil.test`, null],
    ["sandboxes.test", null],
    ["api.sandboxes.test", null],
    [`80-${id}`, null],
  ])("%s", (host, expected) => {
    expect(of(host)).toEqual(expected);
  });

  test("routing headers count on no name that is somebody's", () => {
    const headers = { "e2b-sandbox-id": id, "e2b-sandbox-port": "80" };
    expect(of("localhost:1", headers)).toEqual({ sandboxId: id, port: 80, origin: "shared" });
    expect(of("sandbox.sandboxes.test", headers)).toMatchObject({ origin: "shared" });
    expect(of("api.test", headers)).toBeNull();
    expect(of("localhost.evil.test", headers)).toBeNull();
    // The name says it, whatever the headers say.
    expect(of(`81-${id}.sandboxes.test`, headers)).toMatchObject({ port: 81, origin: "own" });
  });
});
