import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Disks } from "./disks.ts";

const name = "selftest";
const sizeMiB = 16;
const chunk = Buffer.alloc(1024 * 1024, 1);

/**
 * Tries on this machine what disks need: programs, a loop device, mounts, and above all that a full disk says so.
 * Whether mounts reach containers shows on the first one (`prove.ts`). @throws Error that says what does not work
 */
export async function testDisks(disks: Disks): Promise<void> {
  await disks.open();
  await disks.remove(name);
  try {
    await disks.make(name, sizeMiB);
    await disks.mount(name, 0);
    if (!(await isBounded(join(disks.pointOf(name), "fill")))) {
      throw new Error("A loop device takes more than its size.");
    }
  } finally {
    await disks.remove(name);
  }
}

async function isBounded(path: string): Promise<boolean> {
  const file = await open(path, "wx");
  try {
    for (let written = 0; written < 2 * sizeMiB; written++) await file.writeFile(chunk);
    return false;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "ENOSPC";
  } finally {
    await file.close();
  }
}
