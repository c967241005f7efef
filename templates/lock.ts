import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processStart } from "./process.ts";
import { StopError } from "./stop.ts";

const usualPollMs = 250;
/** Time in which whoever made a lock by hand must have written a pid into it. */
const writeGraceMs = 5_000;

type LockOptions = {
  path: string;
  waitMs: number;
  onWait: () => void;
  /** How often to look whether it is free. */
  pollMs?: number;
  /** Ends the waiting; what holds the lock is not its business. */
  signal?: AbortSignal | undefined;
};

/**
 * Runs one piece of work at a time among the processes of this machine that name the same file.
 * A lock whose process is gone is taken over, by one of those who wait for it.
 * @throws StopError when the lock is not free in time, or the signal's reason
 */
export async function withLock<T>(
  { path, waitMs, onWait, signal, pollMs = usualPollMs }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const owner = `${process.pid} ${await processStart(process.pid)}`;
  const deadlineMs = Date.now() + waitMs;
  for (let tries = 0; !(await claim(path, owner)); tries++) {
    const left = await staleOwner(path);
    if (left !== undefined && (await clearStale(path, left, owner))) continue;
    if (tries === 0) onWait();
    if (Date.now() > deadlineMs)
      throw new StopError(`Another process has held ${path} for too long; remove it if none runs.`);
    signal?.throwIfAborted();
    await sleep(pollMs);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * Removes a lock whose owner is gone, unless another has taken it over since that was seen: only who holds a lock on the
 * removal removes, after another look. That lock may be left behind in its turn. @returns whether it is gone
 */
export async function clearStale(path: string, stale: string, owner: string): Promise<boolean> {
  const guard = `${path}.left`;
  if (!(await claim(guard, owner))) {
    const left = await staleOwner(guard);
    return left !== undefined && clearStale(guard, left, owner);
  }
  try {
    if ((await ownerOf(path)) === stale) await rm(path, { force: true });
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}

/** A link, since it makes the lock together with what stands in it. */
async function claim(path: string, owner: string): Promise<boolean> {
  const mine = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(mine, owner, { flag: "wx" });
    await link(mine, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
}

/** What stands in a lock whose process is gone; nothing while it lives, or where there is no lock. */
async function staleOwner(path: string): Promise<string | undefined> {
  const owner = await ownerOf(path);
  if (owner === undefined) return undefined;
  const [pid = "", started = ""] = owner.split(" ");
  if (/^\d+$/.test(pid)) return (await processStart(Number(pid))) === started ? undefined : owner;
  const written = await stat(path).catch(() => undefined);
  const isLeft = written !== undefined && Date.now() - written.mtimeMs > writeGraceMs;
  return isLeft ? owner : undefined;
}

function ownerOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}
