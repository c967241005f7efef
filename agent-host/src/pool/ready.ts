import { setTimeout as sleep } from "node:timers/promises";
import type { Member } from "../runtime/runtime.ts";
import { baseEnv } from "../sandboxes/base-env.ts";

const readyDeadlineMs = 30_000;
const firstPauseMs = 50;
const longestPauseMs = 1_000;
const shownMaxBytes = 500;

/**
 * Runs a template's readiness command in a fresh member, as its tenant user, until it ends with 0.
 * @throws Error with the end of what it printed, when it has not by the deadline
 */
export async function untilReady(
  member: Pick<Member, "connection">,
  command: string | undefined,
  deadlineMs = readyDeadlineMs,
): Promise<void> {
  if (command === undefined) return;
  const endMs = performance.now() + deadlineMs;
  let outcome = "did not end in time";
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const { exit, output } = await runOnce(member, command, Math.max(1, endMs - performance.now()));
    if (exit.exitCode === 0) return;
    // A run that our own deadline has cut says less than the one before it.
    if (exit.reason !== "timeout") outcome = outcomeOf(exit.exitCode, output);
    if (performance.now() + pauseMs > endMs) throw new Error(`The template's readiness command ${outcome}`);
    await sleep(pauseMs);
  }
}

function outcomeOf(exitCode: number, output: Buffer): string {
  const said = output.toString("utf8").trim();
  return `ended with ${exitCode}${said && `: ${said}`}`;
}

async function runOnce({ connection }: Pick<Member, "connection">, command: string, timeoutMs: number) {
  let output: Buffer = Buffer.alloc(0);
  const onOutput = (_kind: unknown, bytes: Uint8Array) => {
    output = Buffer.concat([output, bytes]).subarray(-shownMaxBytes);
  };
  const request = { argv: ["/bin/sh", "-c", command], env: baseEnv, timeoutMs: Math.ceil(timeoutMs) };
  const exit = await connection.exec(request, { onOutput }).exit;
  return { exit, output };
}
