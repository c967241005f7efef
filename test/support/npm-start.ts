import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseEnvFile } from "#contract/envfile";
import { Api } from "./api.ts";
import { freePort } from "./stack.ts";
import { readText } from "./traces.ts";

const projectFolder = join(import.meta.dirname, "..", "..");
const readyMs = 60_000;

/** `npm start` as a user runs it, without the npm around it. */
export type Start = {
  dataDir: string;
  url: string;
  /** From the start of the process to its last line of introduction; throws with its output when it ends instead. */
  ready(): Promise<{ tookMs: number }>;
  /** Resolves once its output holds the text. */
  says(text: string): Promise<void>;
  /** Everything that it has printed so far, to both streams. */
  output(): string;
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | string>;
  /** Sends the signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<number | string>;
  /** The API with the key of its `dev.env`. */
  api(): Api;
};

export async function npmStart(dataDir: string, overrides: Record<string, string> = {}): Promise<Start> {
  const port = overrides.SANDGATE_PORT ?? String(await freePort());
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, ["scripts/start.mjs"], {
    cwd: projectFolder,
    env: {
      ...process.env,
      SANDGATE_POOL_TARGET: "2",
      ...overrides,
      SANDGATE_DATA_DIR: dataDir,
      SANDGATE_PORT: port,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
  }
  const ended = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  const url = `http://127.0.0.1:${port}`;
  const start: Start = {
    dataDir,
    url,
    async ready() {
      await start.says("curl -s -X DELETE");
      return { tookMs: performance.now() - startedAtMs };
    },
    async says(text) {
      const endMs = performance.now() + readyMs;
      while (!printed.includes(text)) {
        if (isOver || performance.now() > endMs)
          throw new Error(`npm start never said "${text}":\n${printed}`);
        await Promise.race([ended, new Promise((look) => setTimeout(look, 20))]);
      }
    },
    output: () => printed,
    ended,
    stop(signal) {
      child.kill(signal);
      return ended;
    },
    api: () => new Api(url, parseEnvFile(readText(join(dataDir, "dev.env"))).SANDGATE_API_KEY ?? ""),
  };
  return start;
}
