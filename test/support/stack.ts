import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { PoolState } from "#contract/host";
import { startChild } from "../../scripts/start/child.ts";
import {
  programs,
  type Stack,
  type StackInput,
  startStack,
  waitUntilPlaced,
} from "../../scripts/start/stack.ts";
import { Api } from "./api.ts";
import { machine, scratchFolder } from "./machine.ts";

type Program = "controlPlane" | "agentHost";
export type TestStack = Stack & {
  api: Api;
  /** The same as its operator. */
  operator: Api;
  dataDir: string;
  poolTarget: number;
  /** Resolves once the pool has reached its target. */
  poolIsFull(): Promise<void>;
  /** `kill -9`; resolves once the process is gone. */
  kill(program: Program): Promise<void>;
  /** Starts what was killed again over the same data folder, and waits until all is ready. */
  startAgain(...killed: Program[]): Promise<void>;
  dispose(): Promise<void>;
};

type Prepare = (input: StackInput) => Promise<{ input: StackInput; stop: () => Promise<void> }>;

const defaultTarget = "4";
const poolDeadlineMs = 30_000;

/**
 * Control plane and agent-host as `npm start` runs them, with a data folder and a port of the test's own.
 * @param dataDir where the test needs a certain folder; it stays the test's to remove
 * @param prepare starts what the stack needs beside it, and says how the stack is to use that
 */
export async function testStack(
  overrides: Record<string, string> = {},
  dataDir?: string,
  prepare: Prepare = async (input) => ({ input, stop: async () => undefined }),
): Promise<TestStack> {
  const folder = dataDir === undefined ? scratchFolder() : { path: dataDir, dispose: () => undefined };
  const environment = {
    ...process.env,
    SANDGATE_PORT: String(await freePort()),
    SANDGATE_POOL_TARGET: defaultTarget,
    // A test counts what is warm, so the target stays as it is set; what follows the arrivals has tests of its own.
    SANDGATE_POOL_LOOKAHEAD_SECONDS: "0",
    SANDGATE_POOL_AGGRESSIVE_CLEANUP: "false",
    ...overrides,
  };
  const given = { prepared: await machine(), dataDir: folder.path, environment, asRoot: [] };
  const { input, stop } = await prepare(given);
  const dispose = async () => {
    await stop();
    folder.dispose();
  };
  try {
    return control(await startStack(input), programs(input), { path: folder.path, dispose });
  } catch (cause) {
    await dispose();
    throw cause;
  }
}

function control(
  started: Stack,
  program: ReturnType<typeof programs>,
  folder: { path: string; dispose(): Promise<void> },
): TestStack {
  const stack: TestStack = {
    ...started,
    api: new Api(started.url, started.apiKey),
    operator: new Api(started.url, started.adminKey),
    dataDir: folder.path,
    poolTarget: Number(program.agentHost.environment.SANDGATE_POOL_TARGET),
    poolIsFull: () => poolIsFull(stack.hostUrl, stack.poolTarget),
    async kill(name) {
      process.kill(stack[name].pid, "SIGKILL");
      await stack[name].died;
    },
    async startAgain(...killed) {
      for (const name of killed) stack[name] = await startChild(program[name]);
      const [host] = await Promise.all([stack.agentHost.ready, stack.controlPlane.ready]);
      stack.hostUrl = String(host.url);
      await waitUntilPlaced(stack.url);
    },
    async stop() {
      await stack.agentHost.stop();
      await stack.controlPlane.stop();
    },
    async dispose() {
      await stack.stop();
      await folder.dispose();
    },
  };
  return stack;
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
