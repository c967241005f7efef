import type { WrittenFile } from "#contract/files";
import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import type { Directory } from "../hosts/directory.ts";
import type { FileContent, SandboxProvider } from "../providers/provider.ts";
import { onHost } from "./on-host.ts";

type Deps = { db: Db; directory: Directory; provider: SandboxProvider };

/** @throws AppError with the codes of the `readFile` row */
export async function readSandboxFile(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  path: string,
): Promise<FileContent> {
  const call = callOf(ctx, limits.hostCallDeadlineMs);
  return onHost(deps, ctx, id, (place) => deps.provider.readFile(place, path, call));
}

/** @throws AppError with the codes of the `writeFile` row */
export async function writeSandboxFile(
  deps: Deps,
  ctx: Ctx,
  id: SandboxId,
  file: { path: string; stream: ReadableStream<Uint8Array> },
): Promise<WrittenFile> {
  const call = callOf(ctx, limits.fileWriteDeadlineMs);
  return onHost(deps, ctx, id, (place) =>
    deps.provider.writeFile(place, file.path, { stream: file.stream }, call),
  );
}

function callOf(ctx: Ctx, deadlineMs: number) {
  return { requestId: ctx.requestId, deadlineMs, ...(ctx.signal && { signal: ctx.signal() }) };
}
