import { type SignalRequest, signalNumbers } from "#contract/process";
import { HostError } from "../errors.ts";
import type { Live } from "../sandboxes/registry.ts";
import { type ProcessRecord, running } from "./table.ts";

/** Sends a signal to a process group, or to a whole tree. @throws HostError `process_ended`, `sandbox_outdated` */
export function signalProcess(live: Live, record: ProcessRecord, { signal, tree }: SignalRequest): void {
  const { handle } = running(record);
  if (tree) requireGeneration(live, 2);
  if (tree) handle.signalTree(signalNumbers[signal]);
  else handle.kill(signalNumbers[signal]);
}

/** Sandboxes outlive an upgrade of their host, and theirs is the older sandboxd. @throws HostError `sandbox_outdated` */
export function requireGeneration(live: Live, version: number): void {
  if (live.member.connection.hello.version >= version) return;
  throw new HostError(
    "sandbox_outdated",
    "This sandbox was made before its host was upgraded; create a new one.",
  );
}
