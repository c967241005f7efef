import { readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { withParent } from "../with-parent.ts";
import { writeNew } from "../write-new.ts";

/**
 * Tenant uids are unique among all live sandboxes of the machine, whatever clone or host made them: per-uid limits
 * of the kernel (inotify, pending signals, message queues) reach across containers. The folder is therefore fixed.
 */
export const uidFolder = "/run/sandgate/uids";
export const firstUid = 20_000;
export const lastUid = 59_999;

export type UidClaims = {
  /** Takes a uid that nobody on this machine has. @throws Error when all are taken. */
  claim(memberId: string): number;
  release(uid: number): void;
  /** Gives back this host's claims for members that are not in `alive`. @returns the uids given back. */
  sweep(alive: ReadonlySet<string>): number[];
  /** Removes the folder if no host uses it. */
  close(): void;
};

type Owner = { hostId: string; memberId: string };

export function createUidClaims(hostId: string, folder: string = uidFolder): UidClaims {
  let next = firstUid;

  function claim(memberId: string): number {
    for (let tried = 0; tried <= lastUid - firstUid; tried++) {
      const uid = next;
      next = next === lastUid ? firstUid : next + 1;
      const owner: Owner = { hostId, memberId };
      const take = () => writeNew(join(folder, String(uid)), JSON.stringify(owner));
      if (withParent(folder, take)) return uid;
    }
    throw new Error("Every sandbox uid of this machine is in use.");
  }
  function release(uid: number): void {
    rmSync(join(folder, String(uid)), { force: true });
  }
  function sweep(alive: ReadonlySet<string>): number[] {
    const stale = withParent(folder, () => readdirSync(folder))
      .map((name) => ({ uid: Number(name), owner: readOwner(join(folder, name)) }))
      .filter(({ owner }) => owner?.hostId === hostId && !alive.has(owner.memberId))
      .map(({ uid }) => uid);
    for (const uid of stale) release(uid);
    return stale;
  }
  function close(): void {
    try {
      rmdirSync(folder);
    } catch {
      // Another host on this machine still has claims.
    }
  }
  return { claim, release, sweep, close };
}

function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}
