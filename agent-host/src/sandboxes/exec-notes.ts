import * as z from "zod";
import { limits } from "#contract/limits";
import { Process, TerminalSize } from "#contract/process";
import { metadataMaxBytes } from "#contract/sandboxd";
import { SandboxdError } from "../sandboxd/error.ts";
import { lastDateMs } from "./conditions.ts";

const requestIdMaxChars = 128;

/**
 * What a host must know of a command that a former one has started. sandboxd keeps it with the command, so that nothing
 * is written for one that starts, and nothing has to be removed for one that ends.
 */
export const ExecNotes = z.object({
  kind: Process.shape.kind,
  command: z.string().max(limits.processCommandShownChars),
  tag: z.string().max(limits.processTagMaxChars).optional(),
  size: TerminalSize.optional(),
  startedAtMs: z.int().nonnegative().max(lastDateMs),
  timeoutMs: z.int().positive().optional(),
  outputEncoding: z.enum(["utf8", "base64"]).optional(),
  maxOutputBytes: z.int().nonnegative().optional(),
  /** It is killed when its reader goes. */
  isTied: z.boolean().optional(),
  /** Its running alone does not keep its sandbox from being idle. */
  isPassive: z.boolean().optional(),
  /** All of its input came with the request. */
  hasFixedInput: z.boolean().optional(),
  keptMs: z.int().positive().max(limits.processKeptMs),
  /** How often the kernel had killed in its sandbox for memory. */
  oomKills: z.int().nonnegative(),
  requestId: z.string().max(requestIdMaxChars),
});
export type ExecNotes = z.infer<typeof ExecNotes>;

export function encodeNotes(notes: ExecNotes): Buffer {
  const bytes = Buffer.from(
    JSON.stringify({ ...notes, requestId: notes.requestId.slice(0, requestIdMaxChars) }),
  );
  if (bytes.length > metadataMaxBytes)
    throw new RangeError("The notes of a command are longer than their bound.");
  return bytes;
}

/** @throws SandboxdError `protocol` for what no host of ours has written */
export function decodeNotes(bytes: Buffer): ExecNotes {
  const notes = ExecNotes.safeParse(parsed(bytes));
  if (notes.success) return notes.data;
  throw new SandboxdError("protocol", "sandboxd gave notes back that are none.", { cause: notes.error });
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
