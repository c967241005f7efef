import type { ExecSink } from "#host/sandboxd/exec";
import { type Box, env, startBox } from "../../conformance/sandboxd/harness.ts";
import type { Cleanups } from "../cleanups.ts";

/** The daemon alone, over its own socket: what is left when control plane, agent-host and HTTP are taken away. */
export type RawSandboxd = {
  /** @throws Error when the command does not end with 0 */
  exec(argv: string[], onOutput?: ExecSink["onOutput"]): Promise<void>;
};

/** A container of our own with the daemon as PID 1; no agent-host knows of it. */
export async function startRawSandboxd(cleanups: Cleanups): Promise<RawSandboxd> {
  let starting: Promise<Box> | undefined;
  // Before it is there: an interruption waits for it and removes it.
  cleanups.add(async () => (await starting?.catch(() => undefined))?.remove());
  starting = startBox();
  const { connection } = await starting;
  return {
    async exec(argv, onOutput = () => undefined) {
      const { exitCode } = await connection.exec({ argv, env }, { onOutput }).exit;
      if (exitCode !== 0) throw new Error(`The daemon's command ended with ${exitCode}.`);
    },
  };
}
