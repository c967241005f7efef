import { createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { canonicalRequest, type SignedParts, unsignedPayload } from "#contract/signature";
import { NonceWindow } from "#host/signing/nonces";
import { findSignatureFault, type ReceivedRequest } from "#host/signing/verify";

const key = Buffer.alloc(32, 7);
const startMs = 1_000_000;
const nowMs = startMs + 60_000;

function setUp() {
  return { hostId: "hst_a", key, startedAtMs: startMs, nonces: new NonceWindow(), now: () => nowMs };
}

function signedRequest(change: Partial<SignedParts> = {}, body = Buffer.from("{}")): ReceivedRequest {
  const parts: SignedParts = {
    method: "POST",
    hostId: "hst_a",
    pathAndQuery: "/v1/sandboxes",
    tenant: "ten_a",
    sandbox: "sbx",
    generation: "1",
    createdMs: nowMs,
    nonce: "n1",
    length: String(body.length),
    bodySha256: createHash("sha256").update(body).digest("hex"),
    ...change,
  };
  const signature = createHmac("sha256", key).update(canonicalRequest(parts)).digest("hex");
  return { ...parts, signature, body, isPrivatePath: true };
}

test("a request that the control plane signed is let in, once", () => {
  const deps = setUp();
  expect(findSignatureFault(deps, signedRequest())).toBeUndefined();
  expect(findSignatureFault(deps, signedRequest())).toBe("the nonce was seen before");
  expect(findSignatureFault(deps, signedRequest({ nonce: "n2" }))).toBeUndefined();
});

test("changing any signed part after signing is noticed", () => {
  const changes: Partial<ReceivedRequest>[] = [
    { method: "DELETE" },
    { pathAndQuery: "/v1/sandboxes?x=1" },
    { tenant: "ten_b" },
    { sandbox: "other" },
    { generation: "2" },
    { createdMs: nowMs + 1 },
    { nonce: "n9" },
    { length: "3" },
    { bodySha256: "00" },
    { body: Buffer.from("[]") },
    { signature: "" },
    { signature: "00".repeat(32) },
    { hostId: "hst_b" },
  ];
  for (const change of changes) {
    expect(
      findSignatureFault(setUp(), { ...signedRequest(), ...change }),
      JSON.stringify(change),
    ).toBeDefined();
  }
});

test("requests from outside of the window or from before the host's start are refused", () => {
  const stale = { createdMs: nowMs - 30_001 };
  const future = { createdMs: nowMs + 30_001 };
  const former = { createdMs: startMs - 1 };
  expect(findSignatureFault(setUp(), signedRequest(stale))).toContain("window");
  expect(findSignatureFault(setUp(), signedRequest(future))).toContain("window");
  const early = { ...setUp(), now: () => startMs + 5 };
  expect(findSignatureFault(early, signedRequest(former))).toContain("before this host began");
});

test("an unsigned body is taken over loopback or TLS only", () => {
  const request = signedRequest({ bodySha256: unsignedPayload, length: "-" });
  expect(findSignatureFault(setUp(), { ...request, body: undefined })).toBeUndefined();
  expect(findSignatureFault(setUp(), { ...request, body: undefined, isPrivatePath: false })).toContain(
    "unsigned body",
  );
});

test("a nonce stays known for as long as its request would be accepted", () => {
  const window = new NonceWindow();
  expect(window.isFresh("a", 0, 0)).toBe(true);
  for (let at = 0; at <= 60_000; at += 1_000) expect(window.isFresh("a", 0, at)).toBe(false);
});
