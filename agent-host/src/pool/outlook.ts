import { setTimeout as sleep } from "node:timers/promises";
import type { PoolHealth } from "#contract/host";
import type { HostError } from "../errors.ts";
import { type PoolFacts, refillDelayMs, retryAfterSeconds, roomOf, startsWanted } from "./refill.ts";
import { noCapacity } from "./refusals.ts";
import type { PoolSettings } from "./settings.ts";
import type { Shelf } from "./shelf.ts";
import type { Starts } from "./starts.ts";
import { targetOf } from "./target.ts";

export type OutlookDeps = {
  settings: PoolSettings;
  /** Sandboxes of a template in use, and whether a member is one of them. */
  allocated: (template: string) => number;
  isLeased: (memberId: string) => boolean;
  /** Members of the default size that memory still has room for. */
  roomByMemory: () => number;
  /** Whether commands run in live sandboxes. */
  isBusy: () => boolean;
  now: () => number;
};

/** Failed starts in a row after which a host opens without this template; they go on being tried. */
const hopelessFailures = 3;

/** What is known at this moment, as the decisions want it. */
export class Outlook {
  readonly #deps: OutlookDeps;
  readonly #shelves: readonly Shelf[];
  readonly #starts: Pick<Starts, "underWay" | "perSecond">;

  constructor(deps: OutlookDeps, shelves: readonly Shelf[], starts: Pick<Starts, "underWay" | "perSecond">) {
    this.#deps = deps;
    this.#shelves = shelves;
    this.#starts = starts;
  }

  /** Members of all templates that no lease counts: warm, being made, or being handed out. */
  get unleased(): number {
    const { isLeased } = this.#deps;
    return this.#shelves.reduce((sum, shelf) => sum + shelf.warm + shelf.inHand(isLeased), 0);
  }

  factsOf(shelf: Shelf): PoolFacts {
    const { settings, allocated, isLeased, roomByMemory, isBusy } = this.#deps;
    return {
      available: shelf.available,
      coming: shelf.coming,
      waiting: shelf.line.length,
      min: settings.min,
      target: this.targetOf(shelf),
      total: shelf.warm + shelf.inHand(isLeased) + allocated(shelf.template.name),
      max: settings.max,
      roomByMemory: roomByMemory(),
      inFlight: this.#starts.underWay,
      startsMax: settings.startsMax,
      isBusy: isBusy(),
    };
  }

  targetOf(shelf: Shelf): number {
    const { settings, now } = this.#deps;
    const others = this.#shelves.reduce((sum, each) => sum + (each === shelf ? 0 : each.warm), 0);
    return targetOf({
      ...settings,
      ceiling: Math.max(0, settings.idleMax - others),
      ratePerSecond: shelf.ratePerSecond(now()),
      refillPerSecond: this.#starts.perSecond,
      isQuiet: this.isQuiet(shelf),
    });
  }

  isQuiet(shelf: Shelf): boolean {
    const { settings, now } = this.#deps;
    return settings.isCleanupAggressive && shelf.sinceArrivalMs(now()) >= settings.quietMs;
  }

  health(): PoolHealth[] {
    const { settings, allocated } = this.#deps;
    return this.#shelves.map((shelf) => ({
      template: shelf.template.name,
      available: shelf.available,
      parked: shelf.parked,
      starting: shelf.starting,
      waiting: shelf.line.length,
      allocated: allocated(shelf.template.name),
      target: this.targetOf(shelf),
      max: settings.max,
    }));
  }

  refillDelayMs(sinceHandOutMs: number, postponedMs: number): number {
    const { min } = this.#deps.settings;
    const isBusy = this.#deps.isBusy();
    // On the way of every hand-out, so no more is looked at than is needed.
    const delays = this.#shelves.map((shelf) => {
      const counts = { available: shelf.available, waiting: shelf.line.length };
      return refillDelayMs({
        ...counts,
        min,
        target: this.targetOf(shelf),
        isBusy,
        sinceHandOutMs,
        postponedMs,
      });
    });
    return Math.min(...delays);
  }

  /** @returns whether every template has its minimum by then. */
  async untilSettled(deadlineMs: number): Promise<boolean> {
    const endMs = performance.now() + deadlineMs;
    const isSettled = () => this.#shelves.every((shelf) => this.#isSettled(shelf));
    while (!isSettled() && performance.now() < endMs) await sleep(10);
    return this.#shelves.every((shelf) => this.#isWarm(shelf));
  }

  #isWarm(shelf: Shelf): boolean {
    return shelf.available >= Math.min(this.#deps.settings.min, this.targetOf(shelf));
  }

  /** Whether there is nothing to wait for: it is warm, has no room, or is given up for now. */
  #isSettled(shelf: Shelf): boolean {
    const isStuck = shelf.isQuiet && startsWanted(this.factsOf(shelf)) === 0;
    return this.#isWarm(shelf) || isStuck || shelf.failures >= hopelessFailures;
  }

  /** Whether a create of this tenant may wait for a member: there is a place in line, and one will come for it. */
  mayWait(shelf: Shelf, tenantId: string): boolean {
    const room = shelf.failures === 0 ? roomOf(this.factsOf(shelf)) : 0;
    return shelf.line.length < shelf.coming + room && shelf.line.hasPlaceFor(tenantId);
  }

  refusal(shelf: Shelf, cause?: unknown): HostError {
    const room = shelf.coming + roomOf(this.factsOf(shelf));
    const facts = { waiting: shelf.line.length, refillPerSecond: this.#starts.perSecond, room };
    return noCapacity(retryAfterSeconds(facts), cause);
  }
}
