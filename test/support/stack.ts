import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { PoolState } from "#contract/host";
import { type Stack, type StackInput, startStack } from "../../scripts/start/stack.ts";
import { Api } from "./api.ts";
import { machine, scratchFolder } from "./machine.ts";

export type TestStack = Stack & {
  api: Api;
  dataDir: string;
  /** Resolves once the pool has reached its target. */
  poolIsFull(): Promise<void>;
  dispose(): Promise<void>;
};

const defaultTarget = "4";
const poolDeadlineMs = 30_000;

/** Control plane and agent-host as `npm start` runs them, with a data folder and a port of the test's own. */
export async function testStack(
  environment: Record<string, string> = {},
  start: (input: StackInput) => Promise<Stack> = startStack,
): Promise<TestStack> {
  const folder = scratchFolder();
  const target = Number(environment.SANDGATE_POOL_TARGET ?? defaultTarget);
  try {
    const stack = await start({
      prepared: await machine(),
      dataDir: folder.path,
      environment: {
        ...process.env,
        SANDGATE_PORT: String(await freePort()),
        SANDGATE_POOL_TARGET: defaultTarget,
        ...environment,
      },
      asRoot: [],
    });
    return {
      ...stack,
      api: new Api(stack.url, stack.apiKey),
      dataDir: folder.path,
      poolIsFull: () => poolIsFull(stack.hostUrl, target),
      async dispose() {
        await stack.stop();
        folder.dispose();
      },
    };
  } catch (cause) {
    folder.dispose();
    throw cause;
  }
}

async function poolIsFull(hostUrl: string, target: number): Promise<void> {
  const endMs = performance.now() + poolDeadlineMs;
  while (performance.now() < endMs) {
    const health = (await (await fetch(`${hostUrl}/healthz`)).json()) as { pools: PoolState[] };
    if (health.pools.every((pool) => pool.available >= target)) return;
    await sleep(20);
  }
  throw new Error(`The pool did not reach ${target} warm sandboxes in ${poolDeadlineMs} ms.`);
}

/** A port that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
