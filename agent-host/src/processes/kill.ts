import { limits } from "#contract/limits";
import type { ProcessName } from "#contract/process";
import { HostError } from "../errors.ts";
import type { Live } from "../sandboxes/registry.ts";
import { processesOf } from "./table.ts";

/**
 * Kills a process with all that it has started, and waits until it is gone. One that has ended is left as it is.
 * @throws HostError `process_not_found`, `exec_lost` when it resists
 */
export async function killProcess(live: Live, name: ProcessName): Promise<void> {
  const record = processesOf(live).find(name);
  if (record.end) return;
  record.handle?.kill();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = () =>
      reject(new HostError("exec_lost", "The process was killed, but it is not known to be gone."));
    timer = setTimeout(error, limits.processKillDeadlineMs);
  });
  await Promise.race([record.over, late]).finally(() => clearTimeout(timer));
}
