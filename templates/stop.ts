/**
 * Stops what was asked for, with one sentence that tells a person what is wrong and what to do.
 * Whoever runs a command line prints the message alone: a stack would hide it.
 */
export class StopError extends Error {
  constructor(sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = "StopError";
  }
}

// What Node calls the troubles that are the machine's and not ours.
const machineTroubles: Record<string, string> = {
  ENOSPC: "The disk is full",
  EDQUOT: "The disk quota is used up",
  EROFS: "The file system is read-only",
  EACCES: "This user may not do that",
  EPERM: "This user may not do that",
  EMFILE: "Too many files are open",
  ENOTDIR: "A file is in the place of a folder",
  EEXIST: "A file is in the place of a folder",
  SQLITE_FULL: "The disk is full",
  // SQLite says no more than this when it cannot make room for its shared memory.
  SQLITE_IOERR: "The disk is full or fails",
  SQLITE_CANTOPEN: "The database cannot be opened",
  SQLITE_READONLY: "The database cannot be written",
};
const causesMax = 5;

/** The sentence for a trouble of the machine or a refusal of ours; nothing for a bug, which deserves its stack. */
export function stopSentence(error: unknown): string | undefined {
  if (error instanceof StopError) return error.message;
  if (!(error instanceof Error)) return undefined;
  if (error.name === "EngineError" || error.name === "SettingError") return error.message;
  return troubleIn(error);
}

/** Whatever was under way when the machine failed, it is the machine that a person has to look at. */
function troubleIn(error: Error): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < causesMax && current instanceof Error; depth++) {
    const code = "code" in current && typeof current.code === "string" ? current.code : "";
    const trouble = machineTroubles[code];
    if (trouble !== undefined) return `${trouble} (${current.message}).`;
    current = current.cause;
  }
  return undefined;
}
