import { eventFrame } from "#contract/events";
import type { ExecEventName, GapEvent, OutputEvent } from "#contract/exec";
import { limits } from "#contract/limits";
import type { WatchEventName } from "#contract/watch";

/** What an event costs beyond its bytes; without it a million empty ones would be free. */
const entryBytes = 128;

/** An event has a number; what came after `after` up to it is what it tells. */
type Entry = {
  after: number;
  seq: number;
  sizeBytes: number;
  /** For a reader who has had everything up to `from`. */
  frame(from: number): Buffer;
};

type Events = {
  /** The ring holds so many bytes more, or fewer. */
  onHeld(change: number): void;
  /** The reader left before the end. */
  onAbandoned(): void;
};

/** Where one reader is. The ring knows it as long as it reads. */
export type Cursor = { after: number; wake: () => void; farewell?: string };

/**
 * The events of one command: the newest are kept for a reader who comes back. While somebody reads, the producer
 * waits for them and nothing unread is dropped; while nobody does, the oldest go and the reader is told of the gap.
 *
 * Output counts by its bytes: an event's number is how many there were up to its end. So a host that has lost its
 * memory gives the same bytes the same numbers, however it cuts them, and a reader may go on from any of them.
 */
export class EventRing {
  readonly #entries: Entry[] = [];
  readonly #events: Events;
  /** Up to here everything is gone. */
  #droppedSeq: number;
  #lastSeq: number;
  #heldBytes = 0;
  #unreadBytes = 0;
  #cursor: Cursor | undefined;
  #waiting: (() => void)[] = [];
  isEnded = false;

  /** @param startSeq what came up to it is gone */
  constructor(events: Events, startSeq = 0) {
    this.#events = events;
    this.#droppedSeq = startSeq;
    this.#lastSeq = startSeq;
  }

  get isRead(): boolean {
    return this.#cursor !== undefined;
  }
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** An event that counts as one. */
  append(event: ExecEventName | WatchEventName, dataOf: (seq: number) => unknown): void {
    const seq = this.#lastSeq + 1;
    const frame = Buffer.from(eventFrame(event, dataOf(seq), seq));
    this.#push({ after: seq - 1, seq, sizeBytes: frame.length + entryBytes, frame: () => frame });
  }

  /** Output, which becomes an event when it is read. */
  appendOutput(
    kind: "stdout" | "stderr",
    bytes: Buffer,
    textOf: (bytes: Buffer) => Omit<OutputEvent, "seq">,
  ): void {
    const after = this.#lastSeq;
    const seq = after + bytes.length;
    const frame = (from: number) =>
      Buffer.from(eventFrame(kind, { seq, ...textOf(bytes.subarray(from - after)) }, seq));
    this.#push({ after, seq, sizeBytes: bytes.length + entryBytes, frame });
  }

  /** So many bytes of output are told to nobody, but count. */
  skip(bytes: number): void {
    this.#lastSeq += bytes;
  }

  #push(entry: Entry): void {
    this.#entries.push(entry);
    this.#lastSeq = entry.seq;
    this.#hold(entry.sizeBytes);
    if (this.#cursor) this.#unreadBytes += entry.sizeBytes;
    this.shrink(limits.execStreamKeptBytes);
    this.#cursor?.wake();
  }

  end(event: "exit" | "end" | "error", data: unknown): void {
    this.isEnded = true;
    this.append(event, () => data);
  }

  /** Drops what nobody is waiting for, the oldest first. The end stays as long as the ring. */
  shrink(toBytes: number): void {
    let dropped = 0;
    while (this.#heldBytes - dropped > toBytes && this.#entries.length > 1) {
      const [oldest] = this.#entries;
      if (!oldest || (this.#cursor && this.#cursor.after < oldest.seq)) break;
      this.#entries.shift();
      dropped += oldest.sizeBytes;
      this.#droppedSeq = oldest.seq;
    }
    if (dropped > 0) this.#hold(-dropped);
  }

  /** Whether the producer may go on. */
  get hasRoom(): boolean {
    return this.#unreadBytes < limits.execStreamUnreadBytes;
  }
  async room(): Promise<void> {
    while (!this.hasRoom) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** A reader from the event after `after` on. Only the newest reader counts; an older one gets `farewell` and ends. */
  attach(after: number, wake: () => void, farewell: string): Cursor {
    const former = this.#cursor;
    // An ended stream tells its end again rather than nothing.
    const cursor: Cursor = { after: Math.min(after, this.#lastSeq - (this.isEnded ? 1 : 0)), wake };
    this.#cursor = cursor;
    const unread = this.#entries.slice(this.#indexAfter(cursor.after));
    this.#unreadBytes = unread.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (former) {
      former.farewell = farewell;
      former.wake();
    }
    this.#wakeProducer();
    return cursor;
  }

  detach(cursor: Cursor): void {
    if (this.#cursor !== cursor) return;
    const isAbandoned = !this.isEnded || cursor.after < this.#lastSeq;
    this.#cursor = undefined;
    this.#unreadBytes = 0;
    this.#wakeProducer();
    if (isAbandoned) this.#events.onAbandoned();
  }

  /** What a reader has not had, about one event's worth; nothing = it has everything. */
  take(cursor: Cursor): Buffer[] {
    const taken: Buffer[] = [];
    if (this.#cursor !== cursor) return taken;
    if (cursor.after < this.#droppedSeq) {
      const gap: GapEvent = { fromSeq: cursor.after + 1, toSeq: this.#droppedSeq };
      taken.push(Buffer.from(eventFrame("gap", gap, gap.toSeq)));
      cursor.after = gap.toSeq;
    }
    let index = this.#indexAfter(cursor.after);
    for (let bytes = 0; bytes < limits.outputEventMaxBytes; index++) {
      const entry = this.#entries[index];
      if (!entry) break;
      const frame = entry.frame(Math.max(cursor.after, entry.after));
      taken.push(frame);
      bytes += frame.length;
      cursor.after = entry.seq;
      this.#unreadBytes -= entry.sizeBytes;
    }
    this.#wakeProducer();
    return taken;
  }

  /** Whether a reader has had the last event there will be. */
  isReadToEnd(cursor: Cursor): boolean {
    return this.isEnded && cursor.after === this.#lastSeq;
  }

  /** The first event that a reader who has had `after` has not had. */
  #indexAfter(after: number): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.seq ?? 0) > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #hold(change: number): void {
    this.#heldBytes += change;
    this.#events.onHeld(change);
  }

  #wakeProducer(): void {
    if (!this.hasRoom) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
