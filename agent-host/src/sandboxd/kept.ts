import { fieldTag, frameType, keptState, streamWindowBytes, tagMaxBytes } from "#contract/sandboxd";
import { ask } from "#host/sandboxd/ask";
import type { SandboxdError } from "#host/sandboxd/error";
import { decodeExit, type ExecExit, type TerminalSize } from "#host/sandboxd/exec-wire";
import { Fields } from "#host/sandboxd/fields";
import { violation } from "#host/sandboxd/frames";
import type { Link } from "#host/sandboxd/link";
import { decodeError } from "#host/sandboxd/stream-error";

/** What a sandboxd has kept of an exec with a tag. */
export type KeptExec = {
  tag: string;
  metadata: Buffer;
  pid: number;
  /** `forgotten`: it has ended, and there is nothing to recall. */
  state: keyof typeof keptState;
  terminal?: TerminalSize;
  /** Once it has ended. */
  end?: { exit: ExecExit } | { error: SandboxdError };
};

type OfBoth<T> = { stdout: T; stderr: T };

/** Where the output of a recalled exec begins. */
export type Recalled = {
  /** How many bytes of each came before. */
  offsets: OfBoth<number>;
  /** The last of those, three at most: a character may have begun there. */
  tails: OfBoth<Buffer>;
  /** How many bytes of both follow that had come before the recall. */
  keptBytes: number;
  /** What may be sent to its input; absent when it takes none. */
  inputCredit?: number;
};

/** More than a sandboxd has room for. */
const keptMax = 256;
const ringMaxBytes = 1024 * 1024;
const tailMaxBytes = 3;
const states = new Map<number, KeptExec["state"]>(
  Object.entries(keptState).map(([name, number]) => [number, name as KeptExec["state"]]),
);

/** Everything that is kept, in no order. */
export function listKept(link: Link): Promise<KeptExec[]> {
  const kept = new Map<string, KeptExec>();
  return ask(link, frameType.keptList, Buffer.alloc(0), (frame) => {
    if (frame.type === frameType.listEnd) return [...kept.values()];
    if (frame.type !== frameType.kept || kept.size === keptMax)
      throw violation(`a frame of type ${frame.type} on a list of what is kept`);
    const each = decodeKept(frame.payload);
    if (kept.has(each.tag)) throw violation("a tag that is kept twice");
    kept.set(each.tag, each);
    return undefined;
  });
}

function decodeKept(payload: Buffer): KeptExec {
  const fields = new Fields(payload);
  const state = states.get(fields.uint16(fieldTag.keptState));
  if (state === undefined) throw violation("an unknown state of an exec");
  const { cols, rows } = fieldTag;
  return {
    tag: fields.text(fieldTag.tag, tagMaxBytes),
    metadata: Buffer.from(fields.bytes(fieldTag.metadata)),
    pid: fields.uint32(fieldTag.pid),
    state,
    ...(fields.has(cols) && { terminal: { cols: fields.uint16(cols), rows: fields.uint16(rows) } }),
    ...(state !== "running" && { end: decodeEnd(payload, fields) }),
  };
}

const decodeEnd = (payload: Buffer, fields: Fields) =>
  fields.has(fieldTag.errorCode) ? { error: decodeError(payload) } : { exit: decodeExit(payload) };

/** @throws SandboxdError `protocol` for what no ring can hold */
export function decodeRecalled(payload: Buffer): Recalled {
  const fields = new Fields(payload);
  const tail = (tag: number, offset: number) => {
    const bytes = fields.bytes(tag);
    if (bytes.length > tailMaxBytes || bytes.length > offset) throw violation("a tail that is too long");
    return Buffer.from(bytes);
  };
  const [stdout, stderr] = [fields.uint64(fieldTag.stdoutOffset), fields.uint64(fieldTag.stderrOffset)];
  const keptBytes = fields.uint64(fieldTag.keptBytes);
  const inputCredit = fields.has(fieldTag.inputCredit) ? fields.uint32(fieldTag.inputCredit) : undefined;
  if (keptBytes > ringMaxBytes || (inputCredit ?? 0) > streamWindowBytes)
    throw violation("more output or credit than there can be");
  return {
    offsets: { stdout, stderr },
    tails: { stdout: tail(fieldTag.stdoutTail, stdout), stderr: tail(fieldTag.stderrTail, stderr) },
    keptBytes,
    ...(inputCredit !== undefined && { inputCredit }),
  };
}
