import type { TerminalSize } from "#contract/process";
import { HostError } from "../errors.ts";
import { type ProcessRecord, running } from "./table.ts";

/** Tells a process's terminal its size; its foreground group hears of it. @throws HostError `process_ended`, `not_a_terminal` */
export function resizeProcess(record: ProcessRecord, size: TerminalSize): void {
  const { handle } = running(record);
  if (!record.size)
    throw new HostError("not_a_terminal", "Start the process with `pty` to give it a terminal.");
  record.size = size;
  handle.resize(size);
}
