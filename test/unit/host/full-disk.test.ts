import fs, { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newHostCode, newSandboxId } from "#contract/ids";
import { createLeaseStore, type Lease } from "#host/leases/store";
import { createMemberFolders } from "#host/runtime/docker/folder";
import { createUidClaims } from "#host/uids/claim";

const real = { writeFileSync: fs.writeFileSync, readFileSync: fs.readFileSync };
const disk = { isFull: false, isUnreadable: false };

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-disk-"));
  // What a full disk does: the file is made, its bytes are not written.
  vi.spyOn(fs, "writeFileSync").mockImplementation((path, text, options) => {
    real.writeFileSync(path, disk.isFull ? "" : text, options);
    if (disk.isFull) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  });
  vi.spyOn(fs, "readFileSync").mockImplementation((...args) => {
    if (disk.isUnreadable) throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
    return real.readFileSync(...args);
  });
  // So that who imported these by name, before or after this file, has them too, and loses them again below.
  syncBuiltinESMExports();
});
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  disk.isFull = false;
  disk.isUnreadable = false;
  rmSync(folder, { recursive: true, force: true });
});

// Only what names the file.
const lease = { sandboxId: "h".repeat(24), generation: 1 } as Lease;

test("a lease that could not be written claims nothing", () => {
  const store = createLeaseStore(folder);
  disk.isFull = true;
  expect(() => store.claim(lease)).toThrow("ENOSPC");
  disk.isFull = false;
  expect(store.claim(lease)).toBe(true);
});

test("a uid that could not be claimed is not lost", () => {
  const uids = createUidClaims("hst_a", join(folder, "uids"));
  disk.isFull = true;
  expect(() => uids.claim("0badcafe")).toThrow("ENOSPC");
  expect(readdirSync(join(folder, "uids"))).toEqual([]);
});

test("a member's folder that could not be filled is removed, since no sweep would know whose it is", () => {
  const folders = createMemberFolders(join(folder, "run"), "hst_a");
  disk.isFull = true;
  expect(() => folders.make("0badcafe", 20_000)).toThrow("ENOSPC");
  expect(readdirSync(join(folder, "run"))).toEqual([]);
});

test("a record that cannot be read just now is not taken for a broken one", () => {
  const store = createLeaseStore(folder);
  const end = {
    sandboxId: newSandboxId(newHostCode()),
    generation: 1,
    endReason: "idle",
    endedAtMs: 5,
  } as const;
  store.end(end);
  disk.isUnreadable = true;
  expect(() => store.ends()).toThrow("EMFILE");
  disk.isUnreadable = false;
  expect(store.ends()).toEqual([end]);
});
