import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newHostCode, newSandboxId, newTenantId } from "#contract/ids";
import { createLeaseStore, type Lease } from "#host/leases/store";
import { createUidClaims, firstUid } from "#host/uids/claim";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-leases-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lease(over: Partial<Lease> = {}): Lease {
  return {
    sandboxId: newSandboxId(newHostCode()),
    generation: 1,
    tenantId: newTenantId(),
    memberId: "0123abcd",
    template: "base",
    key: "ab".repeat(32),
    cpu: 1,
    memoryMiB: 256,
    pids: 256,
    diskMiB: 1024,
    idleSeconds: 300,
    publicPorts: false,
    createdAtMs: 1,
    expiresAtMs: 2,
    ...over,
  };
}

test("an id and generation can be claimed once", () => {
  const store = createLeaseStore(folder);
  const record = lease();
  expect(store.claim(record)).toBe(true);
  expect(store.claim(record)).toBe(false);
  expect(createLeaseStore(folder).claim(record)).toBe(false);
  expect(store.claim({ ...record, generation: 2 })).toBe(true);
});

test("a restarted host reads the leases and the ends that nobody has acknowledged", () => {
  const store = createLeaseStore(folder);
  const [kept, over] = [lease(), lease()];
  for (const record of [kept, over]) store.claim(record);
  const { sandboxId, generation } = over;
  store.end({ sandboxId, generation, endReason: "idle", endedAtMs: 5 });

  const restarted = createLeaseStore(folder);
  expect(restarted.leases()).toEqual([kept]);
  expect(restarted.ends()).toEqual([{ sandboxId, generation, endReason: "idle", endedAtMs: 5 }]);
  restarted.acknowledge(over);
  expect(createLeaseStore(folder).ends()).toEqual([]);
});

test("an end that the disk has no room for is told all the same, and forgotten once it was heard", () => {
  const store = createLeaseStore(folder);
  const record = lease();
  store.claim(record);
  const { sandboxId, generation } = record;
  const end = { sandboxId, generation, endReason: "idle", endedAtMs: 5 } as const;
  symlinkSync("/dev/full", join(folder, "ended", `${sandboxId}-1.json.new`));
  store.end(end);
  expect(store.ends()).toEqual([end]);
  // A restart would lose the end, but not the lease that it tells the loss by.
  expect(store.leases()).toEqual([record]);
  store.acknowledge(end);
  expect([store.ends(), store.leases()]).toEqual([[], []]);
});

test("a file that a crash cut short is dropped and its claim is free again", () => {
  const store = createLeaseStore(folder);
  const record = lease();
  writeFileSync(join(folder, "leases", `${record.sandboxId}-1.json`), '{"sandboxId":"h');
  writeFileSync(join(folder, "leases", "half.json.new"), "{");
  expect(store.leases()).toEqual([]);
  expect(readdirSync(join(folder, "leases"))).toEqual([]);
  expect(store.claim(record)).toBe(true);
});

test("nobody but the owner can read a lease, which holds a key", () => {
  const store = createLeaseStore(folder);
  const record = lease();
  store.claim(record);
  expect(statSync(join(folder, "leases", `${record.sandboxId}-1.json`)).mode & 0o077).toBe(0);
  expect(statSync(join(folder, "leases")).mode & 0o077).toBe(0);
});

test("two hosts on one machine never share a uid", () => {
  const one = createUidClaims("hst_one", join(folder, "uids"));
  const two = createUidClaims("hst_two", join(folder, "uids"));
  const uids = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? one : two).claim(String(i)));
  expect(new Set(uids).size).toBe(uids.length);
  expect(Math.min(...uids)).toBe(firstUid);
});

test("a sweep gives back only this host's uids whose members are gone", () => {
  const one = createUidClaims("hst_one", join(folder, "uids"));
  const two = createUidClaims("hst_two", join(folder, "uids"));
  const [alive, gone, foreign] = [one.claim("aaaaaaaa"), one.claim("bbbbbbbb"), two.claim("cccccccc")];
  expect(one.sweep(new Set(["aaaaaaaa"]))).toEqual([gone]);
  expect(readdirSync(join(folder, "uids")).map(Number).sort()).toEqual([alive, foreign].sort());
});
