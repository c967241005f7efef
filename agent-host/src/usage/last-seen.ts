import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { Boot } from "./boot.ts";

const Seen = z.strictObject({ bootId: z.string(), monotonicMs: z.int() });
export type Seen = z.infer<typeof Seen>;

/** Written over the one before, so all must be equally long. */
const width = 96;

/**
 * When a host last was there to see its sandboxes, to the second, in one small file that never grows: what is gone
 * without a trace after a crash of the host has lived until then.
 */
export class LastSeen {
  readonly #fd: number;
  readonly #boot: Boot;
  /** By the process before this one. */
  readonly before: Seen | undefined;

  /** @throws Error when the file cannot be made */
  constructor(hostFolder: string, boot: Boot) {
    const folder = join(hostFolder, "usage");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, "seen.json");
    this.before = parse(path);
    this.#boot = boot;
    this.#fd = openSync(path, this.before ? "r+" : "w", 0o600);
  }

  /** A disk that does not take it has room again at some time; until then the mark is older than it could be. */
  mark(): void {
    const { bootId, monotonicMs } = this.#boot;
    const text = JSON.stringify({ bootId, monotonicMs: monotonicMs() } satisfies Seen);
    try {
      writeSync(this.#fd, text.padEnd(width), 0);
    } catch {
      // See above.
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function parse(path: string): Seen | undefined {
  try {
    return Seen.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}
