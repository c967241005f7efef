import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withParent } from "../../with-parent.ts";

export type MemberFolders = {
  pathOf(memberId: string): string;
  socketOf(memberId: string): string;
  /** Makes the folder that a member's container mounts. */
  make(memberId: string, uid: number): void;
  remove(memberId: string): void;
  /** Removes this host's folders that belong to none of `alive`. */
  sweep(alive: ReadonlySet<string>): void;
  /** Removes the parent if nobody on this machine uses it. */
  close(): void;
};

/** One folder per member: its socket and the passwd and group that name its uid. Mode 0700 keeps the tenant out. */
export function createMemberFolders(runDir: string, hostId: string): MemberFolders {
  const pathOf = (memberId: string) => join(runDir, memberId);

  function make(memberId: string, uid: number): void {
    const folder = pathOf(memberId);
    withParent(runDir, () => mkdirSync(folder, { mode: 0o700 }));
    try {
      fill(folder, uid);
    } catch (cause) {
      // Without its owner's name no sweep would remove it.
      rmSync(folder, { recursive: true, force: true });
      throw cause;
    }
  }
  function fill(folder: string, uid: number): void {
    writeFileSync(join(folder, "owner"), hostId, { mode: 0o600 });
    const passwd = `root:x:0:0:root:/root:/bin/bash\nuser:x:${uid}:${uid}:user:/home/user:/bin/bash\n`;
    writeFileSync(join(folder, "passwd"), `${passwd}nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n`, {
      mode: 0o644,
    });
    writeFileSync(join(folder, "group"), `root:x:0:\nuser:x:${uid}:\nnogroup:x:65534:\n`, { mode: 0o644 });
  }
  function sweep(alive: ReadonlySet<string>): void {
    for (const name of withParent(runDir, () => readdirSync(runDir))) {
      if (/^[0-9a-f]{8}$/.test(name) && !alive.has(name) && ownerOf(pathOf(name)) === hostId) {
        removeFolder(pathOf(name));
      }
    }
  }
  function close(): void {
    try {
      rmdirSync(runDir);
    } catch {
      // Another host on this machine still has members.
    }
  }
  return {
    pathOf,
    socketOf: (memberId) => join(pathOf(memberId), "sock"),
    make,
    remove: (memberId) => removeFolder(pathOf(memberId)),
    sweep,
    close,
  };
}

const removeFolder = (folder: string) => rmSync(folder, { recursive: true, force: true });

function ownerOf(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, "owner"), "utf8");
  } catch {
    return undefined;
  }
}
