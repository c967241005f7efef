import type { Logger } from "pino";
import type { Member, Runtime } from "../runtime/runtime.ts";
import { isStale, toLookAt, toPark } from "./parking.ts";
import type { PoolSettings } from "./settings.ts";
import type { Entry, Shelf } from "./shelf.ts";
import { endsWanted } from "./shrink.ts";

export type CaretakerDeps = {
  runtime: Pick<Runtime, "park" | "thaw">;
  settings: PoolSettings;
  now: () => number;
  log: Logger;
  targetOf: (shelf: Shelf) => number;
  isQuiet: (shelf: Shelf) => boolean;
  /** Gives a lent member back to its shelf, or to who waits. */
  offer: (shelf: Shelf, entry: Entry) => void;
  discard: (member: Member) => Promise<void>;
};

const lookDeadlineMs = 5_000;

/** Looks after the members of a shelf that nobody has asked for yet. */
export class Caretaker {
  readonly #deps: CaretakerDeps;

  constructor(deps: CaretakerDeps) {
    this.#deps = deps;
  }

  async tend(shelf: Shelf): Promise<void> {
    this.#shrink(shelf);
    this.#replaceStale(shelf);
    const { settings, now } = this.#deps;
    for (const entry of toPark(shelf.entries(), now(), settings.parkAfterMs)) await this.#park(shelf, entry);
    const due = toLookAt(shelf.entries(), now());
    if (due) await this.#lookAt(shelf, due);
  }

  /** Pings all that can answer; who does not is closed, which takes it off the shelf. */
  async checkHealth(shelf: Shelf, deadlineMs: number): Promise<void> {
    const awake = shelf.entries().filter(({ isParked }) => !isParked);
    await Promise.all(
      awake.map((entry) =>
        entry.member.connection.ping(deadlineMs).catch(() => {
          // Parked in the meantime it cannot answer; handed out, its lease looks after it.
          if (shelf.holds(entry) && !entry.isParked) entry.member.connection.close();
        }),
      ),
    );
  }

  #shrink(shelf: Shelf): void {
    const { settings, now, log } = this.#deps;
    const nowMs = now();
    const target = this.#deps.targetOf(shelf);
    shelf.surplusSinceMs = shelf.available > target ? (shelf.surplusSinceMs ?? nowMs) : undefined;
    const ends = endsWanted({
      available: shelf.available,
      waiting: shelf.line.length,
      target,
      isQuiet: this.#deps.isQuiet(shelf),
      surplusMs: nowMs - (shelf.surplusSinceMs ?? nowMs),
      quietMs: settings.quietMs,
    });
    for (const entry of shelf.entries().slice(0, ends)) this.#end(shelf, entry);
    if (ends > 0) log.info({ template: shelf.template.name, ends, target }, "the pool shrinks");
  }

  /** One at a time, so that the shelf is never emptied for its age. */
  #replaceStale(shelf: Shelf): void {
    const { settings, now } = this.#deps;
    const stale = shelf.entries().find((entry) => isStale(entry, now(), settings.maxAgeMs));
    if (stale) this.#end(shelf, stale);
  }

  #end(shelf: Shelf, entry: Entry): void {
    if (shelf.remove(entry)) void this.#deps.discard(entry.member);
  }

  async #park(shelf: Shelf, entry: Entry): Promise<void> {
    const { runtime, now, log, offer } = this.#deps;
    if (!shelf.lend(entry)) return;
    try {
      entry.isParked = await runtime.park(entry.member);
    } catch (cause) {
      log.warn({ err: cause, memberId: entry.member.memberId }, "a warm sandbox could not be parked");
    }
    entry.checkedAtMs = now();
    // Not tried again before its time has come once more.
    if (!entry.isParked) entry.warmSinceMs = now();
    offer(shelf, entry);
  }

  async #lookAt(shelf: Shelf, entry: Entry): Promise<void> {
    if (!shelf.lend(entry)) return;
    const { connection } = entry.member;
    this.#deps.runtime.thaw(entry.member);
    entry.isParked = false;
    await connection.ping(lookDeadlineMs).catch(() => connection.close());
    entry.checkedAtMs = this.#deps.now();
    this.#deps.offer(shelf, entry);
  }
}
