import type { ExecRequest, ExecResult } from "#contract/exec";
import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import type { SandboxProvider } from "../providers/provider.ts";
import { onHost } from "./on-host.ts";

type Deps = { db: Db; directory: Directory; provider: SandboxProvider };

/**
 * Runs a command and waits for its result.
 * @throws AppError with the codes of the `exec` row
 */
export async function execInSandbox(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  input: ExecRequest,
): Promise<ExecResult> {
  if ((input.timeoutMs ?? 0) > limits.execBufferedMaxMs) throw tooLong();
  const commandMs = input.timeoutMs ?? limits.execBufferedMaxMs;
  const call = {
    requestId: ctx.requestId,
    // The host ends the command itself; this only bounds the wait for a host that has gone silent.
    deadlineMs: commandMs + limits.execGraceMs + limits.hostCallDeadlineMs,
    ...(ctx.signal && { signal: ctx.signal() }),
  };
  return onHost(deps, ctx, id, (place) => deps.provider.exec(place, input, call));
}

function tooLong(): AppError {
  const message = `must be at most ${limits.execBufferedMaxMs} unless the answer is a stream`;
  return new AppError(
    "invalid_request",
    "For a longer command ask for a stream with `Accept: text/event-stream`.",
    {
      issues: [{ path: "timeoutMs", message }],
    },
  );
}
