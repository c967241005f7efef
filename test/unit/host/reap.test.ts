import { expect, test } from "vitest";
import type { Lease } from "#host/leases/store";
import type { FoundMember } from "#host/runtime/runtime";
import { CappedOutput } from "#host/sandboxes/capped-output";
import { dueEnd } from "#host/sandboxes/reap";
import { verdictOn } from "#host/sandboxes/recover";

// Only what the decisions look at.
const lease = { expiresAtMs: 100_000, idleSeconds: 10, template: "base" } as Lease;

test("a sandbox ends at its lifetime even while it works, and when idle only while it does not", () => {
  const live = { lease, lastActiveAtMs: 0, operations: 0 };
  expect(dueEnd(live, 9_999)).toBeUndefined();
  expect(dueEnd(live, 10_000)).toBe("idle");
  expect(dueEnd({ ...live, operations: 1 }, 99_999)).toBeUndefined();
  expect(dueEnd({ ...live, operations: 1 }, 100_000)).toBe("lifetime");
});

test("after a restart only what agrees with the lease files goes on", () => {
  const found: FoundMember = {
    memberId: "00000001",
    uid: 20_000,
    template: "base",
    templateDigest: "now",
    handle: "c",
    createdAtMs: 0,
    isRunning: true,
  };
  const digests = new Set(["now"]);
  expect(verdictOn(found, undefined, digests)).toBe("adopt_warm");
  expect(verdictOn({ ...found, templateDigest: "old" }, undefined, digests)).toBe("destroy");
  expect(verdictOn({ ...found, templateDigest: "old" }, lease, digests)).toBe("adopt_lease");
  expect(verdictOn({ ...found, template: "other" }, lease, digests)).toBe("destroy");
  expect(verdictOn({ ...found, isRunning: false }, lease, digests)).toBe("destroy");
});

test("output past the cap is dropped and said to be", () => {
  const output = new CappedOutput(5);
  output.push(Buffer.from("abc"));
  expect(output.isTruncated).toBe(false);
  output.push(Buffer.from("de"));
  expect(output.isTruncated).toBe(false);
  output.push(Buffer.from("f"));
  expect([output.text("utf8"), output.isTruncated]).toEqual(["abcde", true]);
});
