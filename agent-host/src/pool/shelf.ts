import type { Member, TemplateImage } from "../runtime/runtime.ts";
import { type Arrivals, arrived, noArrivals, rateAt } from "./arrivals.ts";
import { Line, type LineBounds } from "./line.ts";

/** A warm member on its shelf. */
export type Entry = {
  readonly member: Member;
  warmSinceMs: number;
  /** Frozen, its page cache given back. */
  isParked: boolean;
  /** When a parked one was last seen alive. */
  checkedAtMs: number;
};

/** The warm members of one template, and the creates that wait for one. */
export class Shelf {
  template: TemplateImage;
  readonly line: Line<Member>;
  /** Oldest first. */
  readonly #entries: Entry[] = [];
  /** Out for a moment, to be parked or looked at; they come back. */
  readonly #away = new Set<Entry>();
  #arrivals: Arrivals;
  #lastArrivalMs: number;
  /** Handed out, and not leased yet. */
  readonly #inHand = new Set<string>();
  starting = 0;
  /** Failed starts in a row. */
  failures = 0;
  /** Since when there have been more than the target. */
  surplusSinceMs: number | undefined;

  constructor(template: TemplateImage, bounds: LineBounds, nowMs: number) {
    this.template = template;
    this.line = new Line(bounds);
    this.#arrivals = noArrivals(nowMs);
    this.#lastArrivalMs = nowMs;
  }

  get available(): number {
    return this.#entries.length;
  }
  get coming(): number {
    return this.starting + this.#away.size;
  }
  get parked(): number {
    return this.#entries.filter(({ isParked }) => isParked).length;
  }
  /** Members that nobody has yet. */
  get warm(): number {
    return this.available + this.coming;
  }
  /** Nothing is being made, and no failed start waits to be tried again. */
  get isQuiet(): boolean {
    return this.coming === 0 && this.failures === 0;
  }

  /** On the shelf, oldest first. */
  entries(): readonly Entry[] {
    return [...this.#entries];
  }
  memberIds(): string[] {
    return [...this.#entries, ...this.#away].map(({ member }) => member.memberId);
  }

  handOut({ memberId }: Member): void {
    this.#inHand.add(memberId);
  }
  /** It came back, or has ended. */
  takeBack({ memberId }: Member): void {
    this.#inHand.delete(memberId);
  }
  /** How many were handed out that no lease counts yet: without them a burst would pass the maximum. */
  inHand(isLeased: (memberId: string) => boolean): number {
    for (const memberId of this.#inHand) if (isLeased(memberId)) this.#inHand.delete(memberId);
    return this.#inHand.size;
  }

  noteArrival(nowMs: number): void {
    this.#arrivals = arrived(this.#arrivals, nowMs);
    this.#lastArrivalMs = nowMs;
  }
  ratePerSecond(nowMs: number): number {
    return rateAt(this.#arrivals, nowMs);
  }
  sinceArrivalMs(nowMs: number): number {
    return nowMs - this.#lastArrivalMs;
  }

  /** The newest that can go at once; a parked one only when all others are gone. */
  take(): Entry | undefined {
    const entry = this.#entries.findLast(({ isParked }) => !isParked) ?? this.#entries.at(-1);
    if (entry) this.remove(entry);
    return entry;
  }

  add(entry: Entry): void {
    this.#away.delete(entry);
    const at = this.#entries.findIndex(({ warmSinceMs }) => warmSinceMs > entry.warmSinceMs);
    this.#entries.splice(at < 0 ? this.#entries.length : at, 0, entry);
  }

  /** @returns false when it is not on the shelf (any more). */
  remove(entry: Entry): boolean {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
    return at >= 0;
  }

  holds(entry: Entry): boolean {
    return this.#entries.includes(entry);
  }

  /** Takes it off for a moment: nobody else may have it, and `memberIds` still names it. @returns false as `remove` */
  lend(entry: Entry): boolean {
    if (!this.remove(entry)) return false;
    this.#away.add(entry);
    return true;
  }
  /** It will not come back. */
  drop(entry: Entry): void {
    this.#away.delete(entry);
  }
}
