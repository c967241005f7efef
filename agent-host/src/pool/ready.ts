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
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const { exitCode, output } = await runOnce(member, command, Math.max(1, endMs - performance.now()));
    if (exitCode === 0) return;
    if (performance.now() + pauseMs > endMs) {
      const said = output.toString("utf8").trim();
      throw new Error(`The template's readiness command ended with ${exitCode}${said && `: ${said}`}`);
    }
    await sleep(pauseMs);
  }
}

async function runOnce({ connection }: Pick<Member, "connection">, command: string, timeoutMs: number) {
  let output: Buffer = Buffer.alloc(0);
  const onOutput = (_kind: unknown, bytes: Uint8Array) => {
    output = Buffer.concat([output, bytes]).subarray(-shownMaxBytes);
  };
  const request = { argv: ["/bin/sh", "-c", command], env: baseEnv, timeoutMs: Math.ceil(timeoutMs) };
  const { exitCode } = await connection.exec(request, { onOutput }).exit;
  return { exitCode, output };
}
