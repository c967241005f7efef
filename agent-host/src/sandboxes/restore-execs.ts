import { ExecId } from "#contract/ids";
import { type ProcessEnd, TerminalSize } from "#contract/process";
import { SandboxdError } from "../sandboxd/error.ts";
import type { ExecExit, ExecHandle, ExecSink } from "../sandboxd/exec.ts";
import type { KeptExec, Recalled } from "../sandboxd/kept.ts";
import { decodeNotes, type ExecNotes } from "./exec-notes.ts";
import { oomWatch, outcomeOf } from "./exec-outcome.ts";
import { type ExecStreamDeps, enlist, followExec, openStream } from "./exec-stream.ts";
import type { Live } from "./registry.ts";
import { outputStart } from "./streamed-output.ts";

type Found = KeptExec & { id: ExecId; notes: ExecNotes };

const uncut = { stdout: false, stderr: false };

/**
 * Takes up what a former host had started in a sandbox: the list is what it was, and each stream goes on under the same
 * numbers. Resolves when all that had been printed is here, so that nobody reads on from what has not arrived yet.
 * @throws SandboxdError when the sandbox is not to be trusted, or gone
 */
export async function restoreExecs(deps: ExecStreamDeps, live: Live): Promise<void> {
  const { connection } = live.member;
  const found = (await connection.kept()).map(
    (kept): Found => ({ ...kept, id: idOf(kept.tag), notes: notesOf(kept) }),
  );
  found.sort((a, b) => a.notes.startedAtMs - b.notes.startedAtMs);
  // One after the other: what is kept of one is a MiB at most, of all of them four.
  for (const each of found) {
    try {
      await restore(deps, live, each);
    } catch (cause) {
      if (!connection.isOpen) throw cause;
      const { sandboxId } = live.lease;
      deps.log.warn({ err: cause, sandboxId, execId: each.id }, "a command could not be taken up again");
    }
  }
}

function idOf(tag: string): ExecId {
  const id = ExecId.safeParse(tag);
  if (id.success) return id.data;
  throw new SandboxdError("protocol", "sandboxd has kept something that no host has started.");
}

/** A terminal has the size that it was given last, by us or by a program on it; that may be one which we give to none. */
function notesOf({ metadata, terminal }: KeptExec): ExecNotes {
  const notes = decodeNotes(metadata);
  const size = TerminalSize.safeParse(terminal).data ?? notes.size;
  return notes.size ? { ...notes, size } : notes;
}

async function restore(deps: ExecStreamDeps, live: Live, found: Found): Promise<void> {
  if (found.state === "forgotten") await listEnded(deps, live, found);
  else if (found.notes.kind === "session") await endSession(deps, live, found);
  else await takeUp(deps, live, found);
}

async function listEnded(deps: ExecStreamDeps, live: Live, found: Found): Promise<void> {
  const end = found.end && "exit" in found.end ? endOf(deps, live, found.notes, found.end.exit) : undefined;
  const over: Promise<ProcessEnd> = Promise.resolve(end ?? { endReason: "crashed" });
  await enlist(deps, live, { ...found, handle: undefined, over }).over;
}

/** A shell is of no use to who cannot say which of its commands had been answered. Its input has ended with its host. */
async function endSession(deps: ExecStreamDeps, live: Live, found: Found): Promise<void> {
  const handle = live.member.connection.recall(found.id, { onOutput: () => undefined });
  handle.kill();
  const over = handle.exit.then((exit) => endOf(deps, live, found.notes, exit));
  await enlist(deps, live, { ...found, handle, over }).over;
}

async function takeUp(deps: ExecStreamDeps, live: Live, found: Found): Promise<void> {
  const { notes } = found;
  const { handle, caughtUp } = recall(deps, live, found);
  const { stream, output } = await caughtUp;
  output.flush();
  const isRunning = found.state === "running";
  // One that had ended before was counted by the host that saw it, or by nobody.
  const counted = isRunning ? deps : { ...deps, onExecEnd: () => undefined };
  const over = followExec(counted, live, { stream, output, handle, notes });
  const record = enlist(deps, live, { ...found, handle, over });
  // The reader has gone with the former host; and input that was cut short must not be taken for the whole.
  if (isRunning && (notes.isTied || (notes.hasFixedInput && handle.takesInput))) handle.kill();
  if (!isRunning) await record.over;
}

type Opened = ReturnType<typeof openStream>;

function recall(
  deps: ExecStreamDeps,
  live: Live,
  { id, notes }: Found,
): { handle: ExecHandle; caughtUp: Promise<Opened> } {
  let opened: Opened | undefined;
  let leftBytes = 0;
  let onCaughtUp: (opened: Opened) => void = () => undefined;
  const allHere = new Promise<Opened>((resolve) => {
    onCaughtUp = resolve;
  });
  const count = (bytes: number) => {
    leftBytes -= bytes;
    if (opened && leftBytes <= 0) onCaughtUp(opened);
  };
  const onRecalled = (recalled: Recalled) => {
    const start = outputStart(recalled, notes);
    opened = openStream(deps, live, { id, notes, kill: () => handle.kill(), start });
    leftBytes = recalled.keptBytes;
    count(0);
  };
  const onOutput: ExecSink["onOutput"] = (kind, bytes) => {
    const taken = opened?.output.take(kind, bytes);
    count(bytes.length);
    return taken;
  };
  const handle = live.member.connection.recall(id, { onRecalled, onOutput });
  // An exit comes behind all output: nobody is left waiting for it.
  const refused = handle.exit.then(() => allHere);
  return { handle, caughtUp: Promise.race([allHere, refused]) };
}

function endOf(deps: ExecStreamDeps, live: Live, notes: ExecNotes, exit: ExecExit): ProcessEnd {
  const { truncated: _, ...end } = outcomeOf(exit, uncut, oomWatch(deps.runtime, live, notes.oomKills)(exit));
  return end;
}
