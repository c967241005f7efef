import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "#contract/limits";
import { HostError } from "../errors.ts";

import { type ProcessRecord, running } from "./table.ts";

const retryMs = 20;
/** What ends input that is typed. */
const endOfTransmission = Buffer.from([4]);

/**
 * Gives bytes to a process, all of them or none, and closes its input where that was asked for.
 * @throws HostError `process_ended`, `input_closed`, `input_full` when it has not read enough of what it was given before
 */
export async function writeInput(record: ProcessRecord, bytes: Buffer, isLast: boolean): Promise<void> {
  if (!record.size) return give(record, bytes, isLast);
  // A terminal has no end of its own: it is typed.
  return give(record, isLast ? Buffer.concat([bytes, endOfTransmission]) : bytes, false);
}

async function give(record: ProcessRecord, bytes: Buffer, isLast: boolean): Promise<void> {
  const { handle } = running(record);
  const lateAtMs = performance.now() + limits.inputWaitMs;
  while (bytes.length > 0) {
    // What a session reads are its commands.
    if (!running(record).handle.takesInput || record.session)
      throw new HostError("input_closed", "Start the process with `stdin`; input that was closed stays so.");
    if (handle.offer(bytes)) break;
    if (performance.now() > lateAtMs)
      throw new HostError("input_full", "The process is behind with reading; nothing of this was taken.");
    await sleep(retryMs);
  }
  if (isLast && !record.session) handle.endStdin();
}
