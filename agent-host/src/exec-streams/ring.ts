import { eventFrame } from "#contract/events";
import type { ExecEventName, GapEvent } from "#contract/exec";
import { limits } from "#contract/limits";
import type { WatchEventName } from "#contract/watch";

/** What an event costs beyond its bytes; without it a million empty ones would be free. */
const entryBytes = 128;
const sizeOf = (frame: Buffer) => frame.length + entryBytes;

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
 */
export class EventRing {
  readonly #entries: Buffer[] = [];
  readonly #events: Events;
  #firstSeq = 1;
  #heldBytes = 0;
  #unreadBytes = 0;
  #cursor: Cursor | undefined;
  #waiting: (() => void)[] = [];
  isEnded = false;

  constructor(events: Events) {
    this.#events = events;
  }

  get isRead(): boolean {
    return this.#cursor !== undefined;
  }
  get heldBytes(): number {
    return this.#heldBytes;
  }
  get #lastSeq(): number {
    return this.#firstSeq + this.#entries.length - 1;
  }

  append(event: ExecEventName | WatchEventName, dataOf: (seq: number) => unknown): void {
    const seq = this.#lastSeq + 1;
    const frame = Buffer.from(eventFrame(event, dataOf(seq), seq));
    this.#entries.push(frame);
    this.#hold(sizeOf(frame));
    if (this.#cursor) this.#unreadBytes += sizeOf(frame);
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
      if (this.#cursor && this.#cursor.after < this.#firstSeq) break;
      dropped += sizeOf(this.#entries.shift() ?? Buffer.alloc(0));
      this.#firstSeq++;
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
    const read = Math.max(0, cursor.after + 1 - this.#firstSeq);
    this.#unreadBytes = this.#entries.slice(read).reduce((sum, frame) => sum + sizeOf(frame), 0);
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
    if (cursor.after + 1 < this.#firstSeq) {
      const gap: GapEvent = { fromSeq: cursor.after + 1, toSeq: this.#firstSeq - 1 };
      taken.push(Buffer.from(eventFrame("gap", gap, gap.toSeq)));
      cursor.after = gap.toSeq;
    }
    for (let bytes = 0; bytes < limits.outputEventMaxBytes; ) {
      const frame = this.#entries[cursor.after + 1 - this.#firstSeq];
      if (!frame) break;
      taken.push(frame);
      bytes += frame.length;
      cursor.after++;
      this.#unreadBytes -= sizeOf(frame);
    }
    this.#wakeProducer();
    return taken;
  }

  /** Whether a reader has had the last event there will be. */
  isReadToEnd(cursor: Cursor): boolean {
    return this.isEnded && cursor.after === this.#lastSeq;
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
