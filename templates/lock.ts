import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processStart } from "./process.ts";
import { StopError } from "./stop.ts";

const pollMs = 250;
/** Time in which the maker of a lock must have written its pid into it. */
const writeGraceMs = 5_000;

type LockOptions = {
  path: string;
  waitMs: number;
  onWait: () => void;
  /** Ends the waiting; what holds the lock is not its business. */
  signal?: AbortSignal | undefined;
};

/**
 * Runs one piece of work at a time among the processes of this machine that name the same file.
 * A lock whose process is gone is taken over. Two that take over at once may both run: work under a lock must
 * therefore stay harmless when done twice, the lock only saves the effort.
 * @throws StopError when the lock is not free in time, or the signal's reason
 */
export async function withLock<T>(
  { path, waitMs, onWait, signal }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const owner = `${process.pid} ${await processStart(process.pid)}`;
  const deadlineMs = Date.now() + waitMs;
  for (let tries = 0; !(await claim(path, owner)); tries++) {
    if (await isStale(path)) {
      await rm(path, { force: true });
      continue;
    }
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

async function claim(path: string, owner: string): Promise<boolean> {
  try {
    await writeFile(path, owner, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const owner = await readFile(path, "utf8").catch(() => undefined);
  if (owner === undefined) return false;
  const [pid = "", started = ""] = owner.split(" ");
  if (/^\d+$/.test(pid)) return (await processStart(Number(pid))) !== started;
  const written = await stat(path).catch(() => undefined);
  return written !== undefined && Date.now() - written.mtimeMs > writeGraceMs;
}
