import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestStack } from "../support/stack.ts";
import { BenchClient } from "./client.ts";
import type { PlainDocker } from "./docker.ts";
import { repeat, summarize, throughput, timed } from "./measure.ts";
import type { Row } from "./report.ts";

export type Bench = { stack: TestStack; docker: PlainDocker; rounds: number };

/** What the engine still cleans up from the round before must not be counted against this one. */
const settleMs = 100;

/** Creates are interleaved with `docker run`, so that both meet the same machine. */
export async function createCases({ stack, docker, rounds }: Bench): Promise<Row[]> {
  const api = new BenchClient(stack.url, stack.apiKey);
  const createMs: number[] = [];
  const bothMs: number[] = [];
  const deleteMs: number[] = [];
  const dockerMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await stack.poolIsFull();
    await sleep(settleMs);
    const [{ id }, created] = await timed(() => api.create());
    const [, first] = await timed(() => checkedExec(api, id));
    const [, deleted] = await timed(() => api.delete(id));
    const [container, started] = await timed(() => docker.run());
    await docker.remove(container);
    createMs.push(created);
    bothMs.push(created + first);
    deleteMs.push(deleted);
    dockerMs.push(started);
  }
  const baseline = { name: "docker create + start", ...summarize(dockerMs) };
  return [
    { name: "create, warm pool", ...summarize(createMs), baseline },
    { name: "create + first exec", ...summarize(bothMs), baseline },
    { name: "delete", ...summarize(deleteMs) },
    baseline,
  ];
}

export async function execCases({ stack, docker, rounds }: Bench): Promise<Row[]> {
  const api = new BenchClient(stack.url, stack.apiKey);
  const { id } = await api.create();
  const container = await docker.run();
  await repeat(20, () => checkedExec(api, id)); // the first ones pay for just-in-time compilation
  const execMs: number[] = [];
  const dockerMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    execMs.push(...(await repeat(5, async () => expectExit(0, (await api.exec(id, ["true"])).exitCode))));
    dockerMs.push(...(await repeat(1, async () => expectExit(0, await docker.exec(container, ["true"])))));
  }
  const rates: Row[] = [];
  for (const workers of [8, 32]) {
    const perSecond = await throughput(rounds * 20, workers, async () => {
      expectExit(0, (await api.exec(id, ["true"])).exitCode);
    });
    rates.push({ name: `exec true, ${workers} at once`, value: perSecond, unit: "a second" });
  }
  await docker.remove(container);
  await api.delete(id);
  const baseline = { name: "docker exec true", ...summarize(dockerMs) };
  return [{ name: "exec true", ...summarize(execMs), baseline }, baseline, ...rates];
}

export async function fileCases({ stack, rounds }: Bench): Promise<Row[]> {
  const api = new BenchClient(stack.url, stack.apiKey);
  const { id } = await api.create();
  const rows: Row[] = [];
  for (const [label, size] of [
    ["1 KB", 1024],
    ["1 MB", 1024 * 1024],
  ] as const) {
    const content = randomBytes(size);
    const writeMs = await repeat(rounds, () => api.write(id, "bench.bin", content));
    const readMs = await repeat(rounds, async () => {
      if (!(await api.read(id, "bench.bin")).equals(content)) throw new Error("A file came back changed.");
    });
    rows.push(
      { name: `write ${label}`, ...summarize(writeMs) },
      { name: `read ${label}`, ...summarize(readMs) },
    );
  }
  await api.delete(id);
  return rows;
}

/** A token that only this call knows comes back, so that no answer can be somebody else's. */
async function checkedExec(api: BenchClient, id: string): Promise<void> {
  const token = randomBytes(8).toString("hex");
  const { stdout, exitCode } = await api.exec(id, ["echo", token]);
  expectExit(0, exitCode);
  if (stdout !== `${token}\n`) throw new Error("A command answered with another one's output.");
}

function expectExit(expected: number, exitCode: number): void {
  if (exitCode !== expected) throw new Error(`A command ended with ${exitCode} in place of ${expected}.`);
}
