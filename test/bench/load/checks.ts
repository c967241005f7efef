import { randomBytes } from "node:crypto";
import type { ExecResult } from "#contract/exec";
import type { BenchClient } from "./client.ts";

/** @throws Error when a command ended otherwise than expected */
export function expectExit(expected: number, { exitCode }: Pick<ExecResult, "exitCode">): void {
  if (exitCode !== expected) throw new Error(`A command ended with ${exitCode} in place of ${expected}.`);
}

/** A token that only this call knows comes back, so that no answer can be somebody else's. */
export async function echoToken(api: BenchClient, id: string): Promise<void> {
  const token = randomBytes(8).toString("hex");
  const result = await api.exec(id, ["echo", token]);
  expectExit(0, result);
  if (result.stdout !== `${token}\n`) throw new Error("A command answered with another one's output.");
}

/** The answer to `true` on a request that was made before. */
export function expectTrue(body: Buffer): void {
  const result = JSON.parse(body.toString()) as ExecResult;
  expectExit(0, result);
  if (result.stdout !== "" || result.stderr !== "") throw new Error("`true` printed something.");
}

const markers = "/tmp/.bench-mark /workspace/.bench-mark";
const look = `echo "$1" "$(id -u)" $(ls ${markers} 2>/dev/null | wc -l) && touch ${markers}`;

/**
 * Looks from inside whether a sandbox is new: nobody's marker is in it, and it leaves its own for whoever might get it
 * next.
 * @returns the uid that its commands run under
 * @throws Error when it was used before
 */
export async function lookInside(api: BenchClient, id: string): Promise<number> {
  const token = randomBytes(8).toString("hex");
  const result = await api.exec(id, ["sh", "-c", look, "sh", token]);
  expectExit(0, result);
  return uidOf(result.stdout, token);
}

/** Reads what a look has printed: the token, the uid and how many markers there were. */
export function uidOf(printed: string, token: string): number {
  const [echoed, uid, found] = printed.trim().split(" ");
  if (echoed !== token) throw new Error("A command answered with another one's output.");
  if (found !== "0") throw new Error("A sandbox holds the marker of another one: it was used before.");
  if (!/^[1-9]\d*$/.test(uid ?? "")) throw new Error(`A command runs under the uid ${uid}.`);
  return Number(uid);
}
