import type { WrittenFile } from "#contract/files";
import { absolutePath } from "#contract/text";
import type { FileStat } from "../sandboxd/files.ts";
import { asHostError } from "./failures.ts";
import { type Live, whileActive } from "./registry.ts";

export type FileDeps = { now: () => number };
export type OpenFile = { size: number; mode: string; body: ReadableStream<Uint8Array> };

/** Opens a file as the sandbox user; its bytes arrive as they are asked for. @throws HostError */
export function readFileIn(deps: FileDeps, live: Live, path: string): Promise<OpenFile> {
  return whileActive(live, deps.now, async () => {
    try {
      const { stat, body } = await live.member.connection.readFile({ path: absolutePath(path) });
      return { size: stat.size, mode: octalMode(stat), body };
    } catch (cause) {
      throw asHostError(cause, live, "file_not_found");
    }
  });
}

/** Writes a file as the sandbox user; until the last byte has come the old content stays. @throws HostError */
export function writeFileIn(
  deps: FileDeps,
  live: Live,
  path: string,
  body: AsyncIterable<Uint8Array>,
): Promise<WrittenFile> {
  return whileActive(live, deps.now, async () => {
    try {
      const stat = await live.member.connection.writeFile({ path: absolutePath(path) }, body);
      return { path: absolutePath(path), size: stat.size, mode: octalMode(stat) };
    } catch (cause) {
      throw asHostError(cause, live, "file_not_found");
    }
  });
}

const octalMode = (stat: FileStat) => stat.mode.toString(8).padStart(4, "0");
