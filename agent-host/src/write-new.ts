import { rmSync, writeFileSync } from "node:fs";

/**
 * Makes a file that only its owner can read: the atomic claim of its name.
 * @returns false when it is there already. @throws Error when it cannot be written; then nothing is left of it.
 */
export function writeNew(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
    return true;
  } catch (cause) {
    const isTaken = (cause as NodeJS.ErrnoException).code === "EEXIST";
    if (isTaken) return false;
    // On a full disk the name is made and the bytes are not: left behind, it would be a claim that nobody holds.
    rmSync(path, { force: true });
    throw cause;
  }
}
