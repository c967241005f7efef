import type { ExecId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Process, ProcessEnd, ProcessName, TerminalSize } from "#contract/process";
import { HostError } from "../errors.ts";
import type { ExecHandle } from "../sandboxd/exec.ts";
import type { Live } from "../sandboxes/registry.ts";
import type { Session } from "./session.ts";

/** One process of a sandbox, from its start until it is the oldest of too many that have ended. */
export type ProcessRecord = {
  readonly id: ExecId;
  readonly pid: number;
  readonly kind: Process["kind"];
  readonly command: string;
  readonly tag: string | undefined;
  /** Of its terminal, if it has one. */
  size: TerminalSize | undefined;
  readonly startedAtMs: number;
  /** None of what had ended before this host was started. */
  readonly handle: ExecHandle | undefined;
  /** Resolves when `end` is set. */
  readonly over: Promise<void>;
  /** Of a session: what runs its commands. */
  readonly session?: Session;
  end?: ProcessEnd & { endedAtMs: number };
};

/** The processes that this host has started in one sandbox. What runs is bounded by sandboxd, what has ended here. */
export class ProcessTable {
  readonly #records = new Map<string, ProcessRecord>();

  add(record: ProcessRecord): void {
    this.#records.set(record.id, record);
  }

  /** Records an end. @returns those that are forgotten for it, which are the oldest of too many that have ended. */
  end(record: ProcessRecord, end: ProcessEnd, endedAtMs: number): ProcessRecord[] {
    record.end = { ...end, endedAtMs };
    const ended = this.all().filter((each) => each.end !== undefined);
    ended.sort((a, b) => (b.end?.endedAtMs ?? 0) - (a.end?.endedAtMs ?? 0));
    const forgotten = ended.slice(limits.processesEndedMax);
    for (const { id } of forgotten) this.#records.delete(id);
    return forgotten;
  }

  /** Newest first. */
  all(): ProcessRecord[] {
    return [...this.#records.values()].reverse();
  }

  /**
   * By id, or by the pid of one that we started; a pid that was used again is the one that has it now.
   * @throws HostError `process_not_found`
   */
  find(name: ProcessName): ProcessRecord {
    const byPid = () => {
      const same = this.all().filter(({ pid }) => String(pid) === name);
      return same.find(({ end }) => end === undefined) ?? same[0];
    };
    const found = this.#records.get(name) ?? byPid();
    if (found) return found;
    throw new HostError("process_not_found", "This sandbox has no such process, or has had it too long ago.");
  }
}

/** @throws HostError `process_ended` */
export function running(record: ProcessRecord): ProcessRecord & { handle: ExecHandle } {
  const { handle } = record;
  if (!record.end && handle) return { ...record, handle };
  throw new HostError("process_ended", "The process has ended; start another one.");
}

export function processesOf(live: Live): ProcessTable {
  live.processes ??= new ProcessTable();
  return live.processes;
}

/** A process in the words of the API. */
export function shownProcess(record: ProcessRecord): Process {
  const { id, pid, kind, command, tag, size, startedAtMs, end } = record;
  const { endedAtMs, ...outcome } = end ?? {};
  return {
    id,
    pid,
    kind,
    command,
    ...(tag !== undefined && { tag }),
    ...(size && { pty: size }),
    state: end ? "ended" : "running",
    startedAt: new Date(startedAtMs).toISOString(),
    ...(endedAtMs !== undefined && { endedAt: new Date(endedAtMs).toISOString() }),
    ...outcome,
  };
}

/** A command as lists show it, which must not grow with what it is given. */
export function shownCommand(command: string | string[]): string {
  const text = typeof command === "string" ? command : command.join(" ");
  return text.slice(0, limits.processCommandShownChars).toWellFormed();
}
