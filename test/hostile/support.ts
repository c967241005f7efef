import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import type { Problem } from "#contract/errors";
import type { ExecRequest, ExecResult } from "#contract/exec";
import type { CreateSandbox } from "#contract/sandbox";
import type { Api } from "../support/api.ts";
import { type HostView, observe } from "./observer.ts";
import { bringUpTarget, type Target } from "./setup.ts";

export let api: Api;
/** Another tenant of the same machine. */
export let otherApi: Api;
export let target: Target;
export const tenantProbe = "/home/user/probe";
let probeBytes: Buffer;

// Every file that imports this attacks a stack of its own, so that none meets what another has left.
beforeAll(async () => {
  target = await bringUpTarget();
  ({ api, otherApi } = target);
  probeBytes = readFileSync(target.probePath);
});
afterAll(() => target?.dispose());

export type Exec = (command: ExecRequest["command"], over?: Partial<ExecRequest>) => Promise<ExecResult>;

/** A sandbox in the hands of an attacker. */
export type Box = {
  readonly id: string;
  readonly api: Api;
  exec: Exec;
  /** Starts the attack program; says nothing about its success, only that it ran. */
  probe(args: readonly string[], over?: Partial<ExecRequest>): Promise<ExecResult>;
  /** `name: outcome` for each attempt that the probe was asked for. */
  attempts(names: readonly string[]): Promise<Record<string, string>>;
  /** The same sandbox as the host sees it. */
  host: HostView;
};

/** A sandbox for one test, with the probe in it; it is deleted when the test ends. */
export async function newBox(input: CreateSandbox = {}, owner: Api = api): Promise<Box> {
  const { id } = await owner.create(input);
  onTestFinished(() => owner.delete(id).catch(() => undefined));
  await owner.write(id, tenantProbe, probeBytes);
  const exec: Exec = (command, over) => owner.exec(id, command, over);
  expect(await exec(["chmod", "+x", tenantProbe])).toMatchObject({ exitCode: 0 });
  const probe: Box["probe"] = async (args, over) => {
    const result = await exec([tenantProbe, ...args], over);
    expect(result.stdout, "the probe ran").toMatch(new RegExp(`^probe ${args[0]}\n`));
    return result;
  };
  return {
    id,
    api: owner,
    exec,
    probe,
    attempts: async (names) => outcomes((await probe(["calls", ...names])).stdout),
    host: await observe(id, target.dataDir),
  };
}

/** The lines `name: outcome` of a probe's output. */
export function outcomes(stdout: string): Record<string, string> {
  const lines = [...stdout.matchAll(/^(.+): (.+)$/gm)];
  return Object.fromEntries(lines.map(([, name, outcome]) => [name, outcome]));
}

/** What is expected of every one of these attempts. */
export function all(names: readonly string[], outcome: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, outcome]));
}

/** The answer to a refused call, as the caller gets it, and how long it took. */
export async function refusal(response: Promise<Response>): Promise<{
  status: number;
  code: string;
  text: string;
  tookMs: number;
}> {
  const startedAtMs = performance.now();
  const answer = await response;
  const text = await answer.text();
  const tookMs = performance.now() - startedAtMs;
  const problem = (answer.ok ? {} : JSON.parse(text)) as Partial<Problem>;
  return { status: answer.status, code: problem.code ?? "", text, tookMs };
}

/** The number after a word in a probe's output, as in `forks 97 EAGAIN`. */
export function numberAfter(word: string, stdout: string): number {
  const found = new RegExp(`^${word} (\\d+)`, "m").exec(stdout);
  expect(found, `the probe said "${word}" in ${JSON.stringify(stdout)}`).not.toBeNull();
  return Number(found?.[1]);
}
