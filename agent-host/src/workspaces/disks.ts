import { mkdirSync, readdirSync } from "node:fs";
import { chown, mkdir, open, readdir, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { createMountRoot, type MountRoot } from "./mount-root.ts";
import { runProgram } from "./program.ts";

const mib = 1024 * 1024;
const blockBytes = 512; // what st_blocks counts in

/** One inode for as many bytes: 65,536 of them in 1 GiB. */
const bytesPerInode = 16_384;

/**
 * No journal: what is on a disk dies with its sandbox, so nothing would ever be replayed. Tables that read as zeros
 * are not written: a fresh disk of 1 GiB takes 0.1 MiB.
 */
const formatOptions = [
  ...["-q", "-F", "-m", "0", "-e", "remount-ro", "-i", String(bytesPerInode)],
  ...["-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard"],
];
/**
 * `nobarrier`: a tenant's fsync stays in memory and does not reach the journal that everybody on this machine shares.
 * `discard`: what is deleted inside is free outside. `noinit_itable`: no thread writes zeros where zeros are.
 */
const mountOptions = "loop,nodev,nosuid,noatime,nobarrier,noinit_itable,discard,errors=remount-ro";

export type Disks = Pick<MountRoot, "open" | "close"> & {
  /** The folder that a member's container mounts; its disk appears there. */
  pointOf(memberId: string): string;
  /** Makes that folder and the image of an empty disk. */
  make(memberId: string, diskMiB: number): Promise<void>;
  /** Mounts the image; its owner is the member's uid. */
  mount(memberId: string, uid: number): Promise<void>;
  /** Unmounts the disk and deletes its image; the folder stays for another one. */
  unmake(memberId: string): Promise<void>;
  /** Removes disk and folder. Safe to call again, and where there never was any. */
  remove(memberId: string): Promise<void>;
  /** Whether a mounted disk is its tenant's already: the last step of mounting one, which a crash may have cut off. */
  isFinished(memberId: string): Promise<boolean>;
  /** MiB of a member's disk; undefined where it has none. */
  sizeMiB(memberId: string): Promise<number | undefined>;
  /** MiB that all disks take of the machine's own by now. */
  usedMiB(): Promise<number>;
  /** Removes the disks that belong to none of `alive`, which is a list of this moment. */
  sweep(alive: ReadonlySet<string>): Promise<void>;
};

/**
 * Workspaces as ext4 images on loop devices, mounted on the host and passed on into containers that run already.
 * Root mounts here what a tenant will write to. So an image is made by us, mounted once and never again: a tenant
 * reaches it through ext4 alone (containers have neither loop devices nor the images), and what a crash or a power
 * cut may have left half-written is deleted, not mounted.
 */
export function createDisks(options: { runDir: string; hostId: string; folder: string }): Disks {
  const { folder } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const root = createMountRoot(options.runDir, options.hostId);
  const pointOf = (memberId: string) => join(root.path, memberId);
  const imageOf = (memberId: string) => join(folder, `${memberId}.img`);

  async function make(memberId: string, diskMiB: number): Promise<void> {
    await mkdir(pointOf(memberId), { recursive: true, mode: 0o700 });
    const image = await open(imageOf(memberId), "wx", 0o600);
    await image.truncate(diskMiB * mib).finally(() => image.close());
    await runProgram("mkfs.ext4", [...formatOptions, imageOf(memberId)]);
  }

  async function mount(memberId: string, uid: number): Promise<void> {
    const point = pointOf(memberId);
    await runProgram("mount", ["-t", "ext4", "-o", mountOptions, imageOf(memberId), point]);
    await rmdir(join(point, "lost+found"));
    await chown(point, uid, uid);
  }

  /** Asked of the kernel each time: who else removes this disk at the moment may be faster. */
  async function isMounted(memberId: string): Promise<boolean> {
    const [own, above] = await Promise.all([stat(pointOf(memberId)), stat(root.path)]).catch(() => []);
    return own !== undefined && own.dev !== above?.dev;
  }

  async function unmake(memberId: string): Promise<void> {
    // Somebody who looks into it must not keep it: then it goes when they do.
    for (const how of [[], ["--lazy"]]) {
      if (!(await isMounted(memberId))) break;
      await runProgram("umount", [...how, pointOf(memberId)]).catch(() => undefined);
    }
    if (await isMounted(memberId)) throw new Error(`The workspace of ${memberId} could not be unmounted.`);
    await rm(imageOf(memberId), { force: true });
  }

  async function remove(memberId: string): Promise<void> {
    await unmake(memberId);
    // Not recursive: whatever went wrong before, nothing in there is ours to follow.
    await rmdir(pointOf(memberId)).catch(ignoreAbsent);
  }

  async function sweep(alive: ReadonlySet<string>): Promise<void> {
    const images = imageNames(folder).map((name) => name.slice(0, -imageEnding.length));
    const stale = new Set([...images, ...root.names()].filter((memberId) => !alive.has(memberId)));
    for (const memberId of stale) await remove(memberId);
  }

  async function usedMiB(): Promise<number> {
    const names = await readdir(folder);
    const facts = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)));
    const blocks = facts.reduce((sum, each) => sum + (each?.blocks ?? 0), 0);
    return Math.ceil((blocks * blockBytes) / mib);
  }
  async function isFinished(memberId: string): Promise<boolean> {
    const facts = await stat(pointOf(memberId)).catch(() => undefined);
    return facts !== undefined && facts.uid !== 0;
  }
  async function sizeMiB(memberId: string): Promise<number | undefined> {
    const facts = await stat(imageOf(memberId)).catch(() => undefined);
    return facts && facts.size / mib;
  }
  const { open: openRoot, close } = root;
  return { open: openRoot, close, pointOf, make, mount, unmake, remove, isFinished, sizeMiB, usedMiB, sweep };
}

const imageEnding = ".img";

const imageNames = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(imageEnding));

function ignoreAbsent(cause: NodeJS.ErrnoException): void {
  if (cause.code !== "ENOENT") throw cause;
}
