import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { type Stack, startStack } from "../../scripts/start/stack.ts";
import { Api } from "./api.ts";
import { machine, scratchFolder } from "./machine.ts";

export type TestStack = Stack & { api: Api; dataDir: string; dispose(): Promise<void> };

/** Control plane and agent-host as `npm start` runs them, with a data folder and a port of the test's own. */
export async function testStack(environment: Record<string, string> = {}): Promise<TestStack> {
  const folder = scratchFolder();
  try {
    const stack = await startStack({
      prepared: await machine(),
      dataDir: folder.path,
      environment: {
        ...process.env,
        SANDGATE_PORT: String(await freePort()),
        SANDGATE_POOL_TARGET: "4",
        ...environment,
      },
      asRoot: [],
    });
    return {
      ...stack,
      api: new Api(stack.url, stack.apiKey),
      dataDir: folder.path,
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
