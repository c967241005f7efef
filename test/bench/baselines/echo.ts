import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Child, startChild } from "../../../scripts/start/child.ts";
import { scratchFolder } from "../../support/machine.ts";
import type { Cleanups } from "../cleanups.ts";
import { BenchClient } from "../load/client.ts";

/** One call of a bare HTTP server over loopback, with a body as long as an exec's, checked like one. */
export type Echo = () => Promise<void>;

/** Starts the server as a process of its own, so that it and the generator do not share a thread. */
export async function startEcho(cleanups: Cleanups): Promise<Echo> {
  const folder = scratchFolder();
  let starting: Promise<Child> | undefined;
  cleanups.add(async () => {
    await (await starting?.catch(() => undefined))?.stop();
    folder.dispose();
  });
  starting = startChild({
    name: "The echo server",
    entry: "test/bench/baselines/echo-process.ts",
    environment: process.env,
    logPath: join(folder.path, "echo.log"),
  });
  const { url } = await (await starting).ready;
  const client = new BenchClient(String(url), "none");
  cleanups.add(async () => client.close());
  return async () => {
    const body = Buffer.from(JSON.stringify({ command: ["true"], token: randomBytes(8).toString("hex") }));
    const answer = await client.send(client.request("POST", "/", body, "application/json"));
    if (!answer.body.equals(body)) throw new Error("The echo is another one's.");
  };
}
