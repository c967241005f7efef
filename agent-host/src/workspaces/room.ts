import { statfsSync } from "node:fs";

const mib = 1024 * 1024;

export type DiskFacts = {
  /** Of the file system that the images are on. */
  freeMiB: number;
  /** What the images take of it by now. */
  usedMiB: number;
  /** Sum of the sizes of all workspaces that live here. */
  promisedMiB: number;
  overcommit: number;
};

/** Kept free for the leases, the logs and whatever else the machine has there. */
const reserveMiB = 256;

/**
 * Disk that may still be promised. Images take room only as they are written to, so their sizes may exceed what is
 * there by the overcommit, but nothing is promised while the disk is short.
 */
export function freeDiskMiB({ freeMiB, usedMiB, promisedMiB, overcommit }: DiskFacts): number {
  if (isShort(freeMiB)) return 0;
  return Math.max(0, Math.floor((freeMiB - reserveMiB + usedMiB) * overcommit) - promisedMiB);
}

export const isShort = (freeMiB: number) => freeMiB < reserveMiB;

/** What all workspaces together can ever be promised, on an empty disk of this size. */
export function largestDiskMiB(totalMiB: number, overcommit: number): number {
  return Math.max(0, Math.floor((totalMiB - reserveMiB) * overcommit));
}

/** Free and whole MiB of the file system of a folder. */
export function readDisk(folder: string): { freeMiB: number; totalMiB: number } {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return { freeMiB: Math.floor((bavail * bsize) / mib), totalMiB: Math.floor((blocks * bsize) / mib) };
}
