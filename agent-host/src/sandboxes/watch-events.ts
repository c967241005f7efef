import { isUtf8 } from "node:buffer";
import type { WatchEvent } from "#contract/watch";
import type { EventRing } from "../exec-streams/ring.ts";
import type { SandboxdError } from "../sandboxd/error.ts";
import { type WatchRecord, WatchRecords } from "../sandboxd/watch.ts";

/** An upload's own file until it has arrived; it becomes the one that it is for. */
const temporaryName = /(?:^|\/)\.sandgate-[0-9a-f]{16}$/;

type Changed = Extract<WatchRecord, { path: Buffer }>;

/** Makes events of what a watching process says. */
export class WatchEvents {
  readonly #records = new WatchRecords();
  readonly #ring: EventRing;
  readonly #watched: string;
  readonly #onReady: () => void;
  refusal: SandboxdError | undefined;

  constructor(ring: EventRing, watched: string, onReady: () => void) {
    this.#ring = ring;
    this.#watched = watched;
    this.#onReady = onReady;
  }

  push(bytes: Buffer): void {
    for (const record of this.#records.push(bytes)) if (!this.#ring.isEnded) this.#take(record);
  }

  #take(record: WatchRecord): void {
    const path = this.#watched;
    switch (record.kind) {
      case "refused":
        this.refusal = record.error;
        break;
      case "ready":
        this.#ring.append("ready", (seq) => ({ seq, path }));
        this.#onReady();
        break;
      case "overflow":
        this.#ring.append("overflow", (seq) => ({ seq }));
        break;
      case "end":
        this.#ring.end("end", { path });
        break;
      default:
        this.#tell(record);
    }
  }

  #tell({ kind, isFolder, path: relative, from }: Changed): void {
    if (temporaryName.test(relative.toString())) return;
    const path = below(this.#watched, relative);
    const data = {
      path: path.toString(),
      ...(!isUtf8(path) && { pathBase64: path.toString("base64") }),
      isFolder,
    };
    // To whoever watches, an upload is a file that comes into being.
    const isUpload = from !== undefined && temporaryName.test(from.toString());
    const before = from === undefined || isUpload ? {} : shownBefore(below(this.#watched, from));
    this.#ring.append(isUpload ? "create" : kind, (seq): WatchEvent => ({ seq, ...data, ...before }));
  }
}

function shownBefore(from: Buffer): Pick<WatchEvent, "from" | "fromBase64"> {
  return { from: from.toString(), ...(!isUtf8(from) && { fromBase64: from.toString("base64") }) };
}

function below(watched: string, relative: Buffer): Buffer {
  if (relative.length === 0) return Buffer.from(watched);
  return Buffer.concat([Buffer.from(watched === "/" ? "/" : `${watched}/`), relative]);
}
