import { isUtf8 } from "node:buffer";
import type { EntriesQuery, Entry, EntryPage } from "#contract/files";
import { limits } from "#contract/limits";
import { absolutePath } from "#contract/text";
import type { ListEntry } from "../sandboxd/entries.ts";
import { lastDateMs } from "./conditions.ts";
import { asHostError } from "./failures.ts";
import { type FileDeps, octal } from "./files.ts";
import { type Live, whileActive } from "./registry.ts";

/** One page of a tree, or the facts of one path, as the sandbox user sees them. @throws HostError */
export function listEntriesIn(deps: FileDeps, live: Live, query: EntriesQuery): Promise<EntryPage> {
  return whileActive(live, deps.now, async () => {
    const path = absolutePath(query.path).replace(/(?<=.)\/+$/, "");
    const limit = query.limit ?? limits.entriesDefaultItems;
    const after = query.cursor === undefined ? undefined : Buffer.from(query.cursor, "base64url");
    try {
      const { entries, hasMore } = await pageOf(live, { path, depth: query.depth ?? 1, limit }, after);
      const last = entries.at(-1);
      return {
        items: entries.map((entry) => shown(path, entry, live.member.uid)),
        ...(hasMore && last && { nextCursor: last.path.toString("base64url") }),
      };
    } catch (cause) {
      throw asHostError(cause, live, "file_not_found");
    }
  });
}

/** A sandboxd page also ends where its bytes do; ours ends where the caller said. */
async function pageOf(
  live: Live,
  request: { path: string; depth: number; limit: number },
  after: Buffer | undefined,
): Promise<{ entries: ListEntry[]; hasMore: boolean }> {
  const entries: ListEntry[] = [];
  for (let from = after; ; from = entries.at(-1)?.path) {
    const limit = request.limit - entries.length;
    const page = await live.member.connection.list({ ...request, limit, ...(from && { after: from }) });
    entries.push(...page.entries);
    const isWhole = !page.hasMore || page.entries.length === 0;
    if (isWhole || entries.length >= request.limit) return { entries, hasMore: page.hasMore };
  }
}

function shown(listed: string, entry: ListEntry, sandboxUid: number): Entry {
  const prefix = Buffer.from(listed === "/" ? listed : `${listed}/`);
  const path = entry.path.length === 0 ? Buffer.from(listed) : Buffer.concat([prefix, entry.path]);
  const { type, size, uid, gid, linkTarget } = entry;
  const nameOf = (id: number) => (id === sandboxUid ? "user" : id === 0 ? "root" : String(id));
  return {
    path: path.toString(),
    name: path.subarray(path.lastIndexOf("/") + 1).toString(),
    ...(!isUtf8(path) && { pathBase64: path.toString("base64") }),
    type,
    size,
    mode: octal(entry.mode),
    uid,
    gid,
    owner: nameOf(uid),
    group: nameOf(gid),
    modifiedAt: new Date(Math.min(entry.mtimeMs, lastDateMs)).toISOString(),
    ...(linkTarget && { symlinkTarget: linkTarget.toString() }),
    ...(linkTarget && !isUtf8(linkTarget) && { symlinkTargetBase64: linkTarget.toString("base64") }),
  };
}
