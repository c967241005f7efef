import type { EntriesQuery, EntryPage, WrittenFile } from "#contract/files";
import type { SandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import type { WatchQuery } from "#contract/watch";
import type { Ctx } from "../context.ts";
import type { Db } from "../db/client.ts";
import type { Directory } from "../hosts/directory.ts";
import type { ArchiveWish, FileBody, FileContent, ReadWish, SandboxProvider } from "../providers/provider.ts";
import { onHost } from "./on-host.ts";

export type FileDeps = { db: Db; directory: Directory; provider: SandboxProvider };
type Content = { body: FileBody };

/** @throws AppError with the codes of the `readFile` row */
export function readSandboxFile(
  deps: FileDeps,
  ctx: Ctx,
  id: SandboxId,
  { path, ...wish }: ReadWish & { path: string },
): Promise<FileContent> {
  const call = callOf(ctx, limits.hostCallDeadlineMs);
  return onHost(deps, ctx, id, (place) => deps.provider.readFile(place, path, wish, call));
}

/** @throws AppError with the codes of the `writeFile` row */
export function writeSandboxFile(
  deps: FileDeps,
  ctx: Ctx,
  id: SandboxId,
  { path, body }: Content & { path: string },
): Promise<WrittenFile> {
  const call = callOf(ctx, limits.fileWriteDeadlineMs);
  return onHost(deps, ctx, id, (place) => deps.provider.writeFile(place, path, body, call));
}

/** @throws AppError with the codes of the `deleteFile` row */
export function deleteSandboxFile(
  deps: FileDeps,
  ctx: Ctx,
  id: SandboxId,
  target: { path: string; recursive: boolean },
): Promise<void> {
  const call = callOf(ctx, limits.fileDeleteDeadlineMs);
  return onHost(deps, ctx, id, (place) => deps.provider.deleteFile(place, target, call));
}

/** @throws AppError with the codes of the `listEntries` row */
export function listSandboxEntries(
  deps: FileDeps,
  ctx: Ctx,
  id: SandboxId,
  query: EntriesQuery,
): Promise<EntryPage> {
  const call = callOf(ctx, limits.hostCallDeadlineMs);
  return onHost(deps, ctx, id, (place) => deps.provider.listEntries(place, query, call));
}

/**
 * Tells what happens to a path from now on, until its reader goes.
 * @throws AppError with the codes of the `watchFiles` row
 */
export function watchSandboxFiles(
  deps: FileDeps,
  ctx: Ctx,
  id: SandboxId,
  query: WatchQuery,
): Promise<ReadableStream<Uint8Array>> {
  const call = callOf(ctx, limits.archiveStartDeadlineMs);
  return onHost(deps, ctx, id, (place) => deps.provider.watch(place, query, call));
}

/** @throws AppError with the codes of the `readArchive` row; the stream fails where packing does */
export function readSandboxArchive(
  deps: FileDeps,
  ctx: Ctx,
  id: SandboxId,
  archive: ArchiveWish,
): Promise<ReadableStream<Uint8Array>> {
  const call = callOf(ctx, limits.archiveStartDeadlineMs);
  return onHost(deps, ctx, id, (place) => deps.provider.readArchive(place, archive, call));
}

/** @throws AppError with the codes of the `writeArchive` row */
export function writeSandboxArchive(
  deps: FileDeps,
  ctx: Ctx,
  id: SandboxId,
  { body, ...archive }: ArchiveWish & Content,
): Promise<void> {
  const call = callOf(ctx, limits.fileWriteDeadlineMs);
  return onHost(deps, ctx, id, (place) => deps.provider.writeArchive(place, archive, body, call));
}

function callOf(ctx: Ctx, deadlineMs: number) {
  return { requestId: ctx.requestId, deadlineMs, ...(ctx.signal && { signal: ctx.signal() }) };
}
