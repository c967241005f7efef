import { join } from "node:path";
import type { Logger } from "pino";
import type { UsageEvent } from "#contract/usage";
import { keyOf, type Metered, type MeterState, type OutboxRecord, parseRecord } from "./record.ts";
import { type Position, Segments } from "./segments.ts";

export type OutboxOptions = {
  hostFolder: string;
  /** Beyond this no interval is closed and no sandbox handed out; only ends are still written. */
  maxBytes: number;
  /** Size at which the next file is begun; an eighth of all, and 1 MiB at most, when absent. */
  segmentBytes?: number;
  log: Logger;
};

export type Batch = { events: UsageEvent[]; upTo: Position };

const segmentMaxBytes = 1024 * 1024;
const readBytes = 512 * 1024;
const line = (record: OutboxRecord) => `${JSON.stringify(record)}\n`;

/**
 * What was metered and is not on record yet, as lines of files, together with where each meter stands. A write is one
 * system call and waits for no disk: what a killed host has written is in the kernel's hands. Before it is sent it is
 * synced, so a power cut loses only what nobody has seen.
 */
export class Outbox {
  readonly #segments: Segments;
  readonly #options: OutboxOptions;
  readonly #states = new Map<string, MeterState>();
  readonly #segmentBytes: number;
  #acknowledged: Position;
  #pending = 0;
  #isBroken = false;

  /** Reads what former processes have left. @throws Error when the folder cannot be read */
  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? Math.min(segmentMaxBytes, options.maxBytes / 8);
    this.#segments = new Segments(join(options.hostFolder, "usage"));
    this.#acknowledged = this.#segments.first;
    let damaged = 0;
    const ends: Position[] = [];
    for (const { text, end } of this.#segments.all()) {
      const record = parseRecord(text);
      if (!record) damaged++;
      else if ("acknowledged" in record) this.#acknowledged = later(this.#acknowledged, record.acknowledged);
      else if ("key" in record) this.#states.set(record.key, record.state);
      else {
        this.#states.set(keyOf(record.event), record.state);
        ends.push(end);
      }
    }
    this.#pending = ends.filter((end) => isAfter(end, this.#acknowledged)).length;
    if (damaged > 0) options.log.error({ damaged }, "lines of the usage outbox could not be read");
  }

  /** Events that wait for the control plane. */
  get pending(): number {
    return this.#pending;
  }
  get bytes(): number {
    return this.#segments.bytes;
  }
  /** Whether a sandbox that is handed out now could be metered. */
  get hasRoom(): boolean {
    return !this.#isBroken && this.bytes < this.#options.maxBytes;
  }

  stateOf(key: string): MeterState | undefined {
    return this.#states.get(key);
  }

  /** Forgets the meters of all others: their leases are over. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#states.keys()) if (!keys.has(key)) this.#states.delete(key);
  }
  forget(key: string): void {
    this.#states.delete(key);
  }

  /** Writes events and where they leave their meter: all of them or none. @returns whether they are written */
  append(records: readonly Metered[]): boolean {
    if (!this.#write(records.map(line).join(""))) return false;
    for (const { event, state } of records) this.#states.set(keyOf(event), state);
    this.#pending += records.length;
    return true;
  }

  /** Tries a disk that took nothing again. */
  probe(): void {
    if (this.#isBroken) this.#write(line({ acknowledged: this.#acknowledged }));
  }

  /** The oldest events that are not acknowledged, so many at most; `undefined` when there are none. */
  peek(max: number): Batch | undefined {
    if (this.#pending === 0) return undefined;
    const events: UsageEvent[] = [];
    let upTo = this.#acknowledged;
    for (let at: Position | undefined = upTo; at && events.length < max; ) {
      const lines = this.#segments.read(at, readBytes);
      for (const { text, end } of lines) {
        const record = parseRecord(text);
        if (record && "event" in record) events.push(record.event);
        upTo = end;
        if (events.length === max) break;
      }
      at = lines.at(-1)?.end ?? this.#segments.after(at);
    }
    return events.length > 0 ? { events, upTo } : undefined;
  }

  /** Resolves once everything is on the disk that was appended before. */
  sync(): Promise<void> {
    return this.#segments.sync();
  }

  /** The control plane has these events; files that hold none of the others are removed. */
  acknowledge({ events, upTo }: Batch): void {
    this.#acknowledged = later(this.#acknowledged, upTo);
    this.#pending -= events.length;
    // Where this cannot be written, a restarted host sends again what is on record: it changes nothing.
    this.#write(line({ acknowledged: this.#acknowledged }));
    this.#segments.removeBefore(this.#acknowledged);
  }

  close(): void {
    this.#segments.close();
  }

  #write(text: string): boolean {
    try {
      const { currentBytes } = this.#segments;
      if (currentBytes === 0 || currentBytes >= this.#segmentBytes) this.#roll();
      this.#segments.append(text);
      if (this.#isBroken) this.#options.log.info("the usage outbox can be written again");
      this.#isBroken = false;
    } catch (cause) {
      if (!this.#isBroken) this.#options.log.error({ err: cause }, "the usage outbox cannot be written");
      this.#isBroken = true;
    }
    return !this.#isBroken;
  }

  /** Each file begins with where all meters stand, so that the ones before it can go. */
  #roll(): void {
    const states = [...this.#states].map(([key, state]) => line({ key, state }));
    this.#segments.roll();
    this.#segments.append(states.join("") + line({ acknowledged: this.#acknowledged }));
  }
}

const isAfter = (a: Position, b: Position) =>
  a.segment > b.segment || (a.segment === b.segment && a.offset > b.offset);
const later = (a: Position, b: Position) => (isAfter(a, b) ? a : b);
