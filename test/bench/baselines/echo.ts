import { randomBytes } from "node:crypto";
import type { Cleanups } from "../cleanups.ts";
import { BenchClient } from "../load/client.ts";
import { startProgram } from "./program.ts";

/** One call of a bare HTTP server over loopback, with a body as long as an exec's, checked like one. */
export type Echo = () => Promise<void>;

/** Starts the server as a process of its own, so that it and the generator do not share a thread. */
export async function startEcho(cleanups: Cleanups): Promise<Echo> {
  const url = await startProgram(cleanups, "The echo server", "test/bench/baselines/echo-process.ts");
  const client = new BenchClient(url, "none");
  cleanups.add(async () => client.close());
  return async () => {
    const body = Buffer.from(JSON.stringify({ command: ["true"], token: randomBytes(8).toString("hex") }));
    const answer = await client.send(client.request("POST", "/", body, "application/json"));
    if (!answer.body.equals(body)) throw new Error("The echo is another one's.");
  };
}
