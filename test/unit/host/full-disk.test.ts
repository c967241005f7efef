import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLeaseStore, type Lease } from "#host/leases/store";
import { createUidClaims } from "#host/uids/claim";

const disk = vi.hoisted(() => ({ isFull: false }));

// What a full disk does: the file is made, its bytes are not written.
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const writeFileSync = (path: string, text: string, options: object) => {
    real.writeFileSync(path, disk.isFull ? "" : text, options);
    if (disk.isFull) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  };
  return { ...real, writeFileSync };
});

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-disk-"));
});
afterEach(() => {
  disk.isFull = false;
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
