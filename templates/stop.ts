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
};

/** The sentence for a trouble of the machine or a refusal of ours; nothing for a bug, which deserves its stack. */
export function stopSentence(error: unknown): string | undefined {
  if (error instanceof StopError) return error.message;
  if (!(error instanceof Error)) return undefined;
  if (error.name === "EngineError" || error.name === "SettingError") return error.message;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const trouble = machineTroubles[code];
  return trouble === undefined ? undefined : `${trouble} (${error.message}).`;
}
