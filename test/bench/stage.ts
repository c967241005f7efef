import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@libsql/client";
import type { PoolState } from "#contract/host";
import { onEdge } from "../../scripts/edge/stack.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import { containersOf, hostIdOf } from "../support/traces.ts";
import type { PlainDocker } from "./baselines/docker.ts";
import type { Echo } from "./baselines/echo.ts";
import type { Cleanups } from "./cleanups.ts";
import { removeLeft } from "./left.ts";
import { BenchClient, type Created } from "./load/client.ts";
import { Fleet } from "./load/fleet.ts";
import type { Scale } from "./scale.ts";

export type PoolSize = { min: number; target: number; max: number };
/** What every stage has in common. */
export type Bench = { scale: Scale; docker: PlainDocker; echo: Echo; cleanups: Cleanups };
/** A stack of a stage's own, and what was made in it. */
export type Stage = {
  bench: Bench;
  stack: TestStack;
  api: BenchClient;
  fleet: Fleet;
  pool: PoolSize;
  /** How long the pool took from the start of the stack until it was full. */
  fillMs: number;
};

const waitMs = 300_000;
/** Warm members and live sandboxes together may promise this much more memory and disk than there is. */
export const overcommit = { memory: 16, disk: 64 };
const slots = 5_000;
/** What the engine still cleans up from the round before must not be counted against this one. */
const settleMs = 150;

/**
 * Starts control plane and agent-host with a pool of this size and waits until it is full.
 * @param entry where the control plane runs
 */
export async function openStage(bench: Bench, pool: PoolSize, entry: "node" | "workerd"): Promise<Stage> {
  const startedMs = performance.now();
  const overrides = {
    SANDGATE_POOL_MIN: String(pool.min),
    SANDGATE_POOL_TARGET: String(pool.target),
    SANDGATE_POOL_MAX: String(pool.max),
    SANDGATE_MEMORY_OVERCOMMIT: String(overcommit.memory),
    SANDGATE_DISK_OVERCOMMIT: String(overcommit.disk),
    SANDGATE_LOG_LEVEL: "info",
  };
  let starting: Promise<TestStack> | undefined;
  let fleet: Fleet | undefined;
  // Before it is there: an interruption waits until it is, and ends it.
  bench.cleanups.add(async () => {
    const stack = await starting?.catch(() => undefined);
    if (stack) await closeStage(stack, fleet);
  });
  starting = entry === "node" ? testStack(overrides) : testStack(overrides, undefined, onEdge);
  const stack = await starting;
  if (entry === "node") await raiseQuota(stack.dataDir);
  const api = new BenchClient(stack.url, stack.apiKey);
  bench.cleanups.add(async () => api.close());
  fleet = new Fleet(api);
  const stage: Stage = { bench, stack, api, fleet, pool, fillMs: 0 };
  await poolIsFull(stage);
  return { ...stage, fillMs: performance.now() - startedMs };
}

async function closeStage(stack: TestStack, fleet: Fleet | undefined): Promise<void> {
  const hostId = hostIdOf(stack.dataDir);
  try {
    // A host that is told to stop has a minute; hundreds of sandboxes take longer than that on a busy machine.
    await fleet?.close();
    await until(
      async () => (await containersOf(hostId)).length <= warmOf(await poolOf(stack)),
      "All have ended",
    );
  } catch {
    // A stack that does not do as it is asked is stopped all the same.
  } finally {
    await stack.dispose();
    await removeLeft(hostId);
  }
}

/** The first tenant may hold fifty sandboxes; there is no call that raises it. */
async function raiseQuota(dataDir: string): Promise<void> {
  const client = createClient({ url: `file:${join(dataDir, "sandgate.db")}` });
  try {
    await client.execute("PRAGMA busy_timeout = 5000");
    const sql = "UPDATE tenants SET overrides = json_object('concurrentSandboxes', ?)";
    await client.execute({ sql, args: [slots] });
  } finally {
    client.close();
  }
}

/** Waits until the pool has its target and makes no more, and a moment longer. @throws Error when it never does */
export async function poolIsFull({ stack, pool }: Stage): Promise<void> {
  const isFull = async () => {
    const { available, starting } = await poolOf(stack);
    return available >= pool.target && starting === 0;
  };
  await until(isFull, `The pool has ${pool.target} warm sandboxes`);
  await sleep(settleMs);
}

/** Waits until nothing is left of deleted sandboxes. */
export async function isSettled({ stack, fleet }: Stage): Promise<void> {
  const hostId = hostIdOf(stack.dataDir);
  const isDone = async () => {
    const kept = fleet.ids.length + warmOf(await poolOf(stack));
    return (await containersOf(hostId)).length <= kept;
  };
  await until(isDone, "The deleted sandboxes are gone");
  await sleep(settleMs);
}

/** The pool as the host itself shows it. */
export async function poolOf(stack: TestStack): Promise<Omit<PoolState, "template">> {
  const health = (await (await fetch(`${stack.hostUrl}/healthz`)).json()) as { pools: PoolState[] };
  const [pool] = health.pools;
  if (!pool) throw new Error("The host has no pool.");
  return pool;
}

const warmOf = ({ available, starting }: Omit<PoolState, "template">) => available + starting;

/** Where each create got its sandbox from, by request id: the control plane notes it in its log. */
export async function sourcesOf({ stack }: Stage, created: readonly Created[]): Promise<Map<string, string>> {
  const sources = new Map<string, string>();
  const isComplete = async () => {
    for (const line of (await readFile(stack.controlPlane.logPath, "utf8")).split("\n")) {
      if (!line.includes('"source":')) continue;
      const event = JSON.parse(line) as { requestId: string; source: string };
      sources.set(event.requestId, event.source);
    }
    return created.every(({ requestId }) => sources.has(requestId));
  };
  await until(isComplete, "The log names where every sandbox came from");
  return sources;
}

export async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + waitMs;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`This did not come true in ${waitMs} ms: ${what}.`);
    await sleep(50);
  }
}
