import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { PoolState } from "#contract/host";
import type { CgroupLimits } from "../cgroup/limits.ts";
import type { Member, Runtime, TemplateImage } from "../runtime/runtime.ts";
import { type PoolFacts, retryDelayMs, startsWanted } from "./refill.ts";
import { noCapacity, Shelf } from "./shelf.ts";

export type PoolSettings = { min: number; target: number; max: number; memberLimits: CgroupLimits };
export type PoolDeps = {
  runtime: Pick<Runtime, "start" | "remove">;
  settings: PoolSettings;
  /** Sandboxes in use, and the members of default size that memory still has room for. */
  allocated: () => number;
  roomByMemory: () => number;
  log: Logger;
};

const quietMs = 200;

/**
 * Warm sandboxes that nobody has used, per template. A member leaves the pool once and never comes back;
 * refilling goes on in the background, a few starts at a time.
 */
export class Pool {
  readonly #deps: PoolDeps;
  readonly #shelves: Map<string, Shelf>;
  readonly #starting = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #retries = new Map<Shelf, NodeJS.Timeout>();
  #later: NodeJS.Timeout | undefined;
  #isOpen = true;

  constructor(deps: PoolDeps, templates: TemplateImage[]) {
    this.#deps = deps;
    this.#shelves = new Map(templates.map((template) => [template.name, new Shelf(template)]));
  }

  /** Members that are warm or being made. */
  get warm(): number {
    return this.#sum((shelf) => shelf.available.length + shelf.starting);
  }

  /** Any warm member, left where it is. */
  first(): Member | undefined {
    for (const shelf of this.#shelves.values()) if (shelf.available[0]) return shelf.available[0];
    return undefined;
  }

  /**
   * Fills up and waits until every template has `min` warm members.
   * @returns false when `deadlineMs` came first, or when there is no room for them, as after the restart of a full host.
   */
  async warmUp(deadlineMs: number): Promise<boolean> {
    const endMs = performance.now() + deadlineMs;
    const shelves = [...this.#shelves.values()];
    const isWarm = () => shelves.every((shelf) => shelf.available.length >= this.#deps.settings.min);
    const isStuck = () => shelves.every((shelf) => shelf.isQuiet && startsWanted(this.#facts(shelf)) === 0);
    this.refill();
    while (!isWarm() && !isStuck() && performance.now() < endMs) await sleep(10);
    return isWarm();
  }

  memberIds(): string[] {
    const available = [...this.#shelves.values()].flatMap((shelf) => shelf.available);
    return [...this.#starting, ...available.map(({ memberId }) => memberId)];
  }

  state(): PoolState[] {
    return [...this.#shelves.values()].map(({ template, available, starting }) => ({
      template: template.name,
      available: available.length,
      starting,
    }));
  }

  /**
   * Takes a member out of the pool, or waits for one to be made.
   * @throws HostError `no_capacity` when the host is full, or after `deadlineMs`.
   */
  async take(templateName: string, deadlineMs: number): Promise<{ member: Member; isWarm: boolean }> {
    const shelf = this.#shelves.get(templateName);
    if (!shelf || !this.#isOpen) throw noCapacity();
    for (let member = shelf.available.shift(); member; member = shelf.available.shift()) {
      if (member.connection.isOpen) {
        this.#refillSoon();
        return { member, isWarm: true };
      }
      void this.discard(member);
    }
    const facts = this.#facts(shelf);
    const room = shelf.failures === 0 ? Math.min(facts.max - facts.total, facts.roomByMemory) : 0;
    if (shelf.waiting >= shelf.starting + room) throw noCapacity();
    const coming = shelf.wait(deadlineMs);
    this.refill();
    return { member: await coming, isWarm: false };
  }

  /** Gives a fresh or adopted member to whoever waits longest, else keeps it warm. */
  put(member: Member): void {
    const shelf = this.#shelves.get(member.template);
    if (!shelf || !this.#isOpen || !member.connection.isOpen) {
      void this.discard(member);
      return;
    }
    if (shelf.serve(member)) return;
    shelf.available.push(member);
    void member.connection.closed.then((reason) => this.#lost(shelf, member, reason));
  }

  /** Starts what is missing, as far as there is room. */
  refill(): void {
    if (!this.#isOpen) return;
    for (const shelf of this.#shelves.values()) {
      if (shelf.failures > 0) continue; // its retry timer is set
      for (let wanted = startsWanted(this.#facts(shelf)); wanted > 0; wanted--) this.#start(shelf);
    }
  }

  /** Ends a member for good; what could not be removed is logged and left to the sweep. */
  discard(member: Member): Promise<void> {
    member.connection.close();
    const { runtime, log } = this.#deps;
    return this.#track(
      runtime
        .remove(member)
        .catch((cause: unknown) =>
          log.error({ err: cause, memberId: member.memberId }, "a sandbox was not removed"),
        ),
    );
  }

  /** Pings every warm member; one that does not answer is replaced. */
  async checkHealth(deadlineMs: number): Promise<void> {
    const members = [...this.#shelves.values()].flatMap((shelf) => shelf.available);
    await Promise.all(
      members.map(({ connection }) => connection.ping(deadlineMs).catch(() => connection.close())),
    );
  }

  /** Ends the pool: nothing is started or handed out any more, and what is warm is removed. */
  async drain(): Promise<void> {
    this.#isOpen = false;
    for (const timer of this.#retries.values()) clearTimeout(timer);
    for (const shelf of this.#shelves.values()) {
      shelf.refuseAll();
      for (const member of shelf.available.splice(0)) void this.discard(member);
    }
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #facts(shelf: Shelf): PoolFacts {
    const { settings, allocated, roomByMemory } = this.#deps;
    return {
      available: shelf.available.length,
      starting: shelf.starting,
      waiting: shelf.waiting,
      min: settings.min,
      target: Math.max(settings.min, settings.target),
      total: this.warm + allocated(),
      max: settings.max,
      roomByMemory: roomByMemory(),
      inFlight: this.#sum((each) => each.starting),
    };
  }

  #sum(count: (shelf: Shelf) => number): number {
    return [...this.#shelves.values()].reduce((sum, shelf) => sum + count(shelf), 0);
  }

  #start(shelf: Shelf): void {
    const memberId = newMemberId();
    const spec = { memberId, template: shelf.template, limits: this.#deps.settings.memberLimits };
    shelf.starting++;
    this.#starting.add(memberId);
    const ended = () => {
      shelf.starting--;
      this.#starting.delete(memberId);
    };
    const started = this.#deps.runtime.start(spec).then(
      (member) => {
        ended();
        shelf.failures = 0;
        this.put(member);
      },
      (cause: unknown) => {
        ended();
        this.#startFailed(shelf, cause);
      },
    );
    void this.#track(started);
  }

  #startFailed(shelf: Shelf, cause: unknown): void {
    shelf.failures++;
    const delayMs = retryDelayMs(shelf.failures);
    this.#deps.log.warn({ err: cause, template: shelf.template.name, delayMs }, "a sandbox did not start");
    // Other starts under way may still serve those who wait.
    if (shelf.starting === 0) shelf.refuseAll(cause);
    // One try for all that have failed: each of them for itself would pass the room that there is by then.
    if (this.#isOpen && !this.#retries.has(shelf))
      this.#retries.set(
        shelf,
        setTimeout(() => this.#retry(shelf), delayMs),
      );
  }

  #retry(shelf: Shelf): void {
    this.#retries.delete(shelf);
    if (shelf.starting > 0) return; // what comes of it decides
    if (startsWanted(this.#facts(shelf)) > 0) this.#start(shelf);
    else shelf.failures = 0; // nobody wants one now; the next who does tries anew
  }

  #lost(shelf: Shelf, member: Member, reason: Error): void {
    const at = shelf.available.indexOf(member);
    if (at < 0) return; // handed out meanwhile: its lease looks after it
    shelf.available.splice(at, 1);
    this.#deps.log.warn({ memberId: member.memberId, reason: reason.message }, "a warm sandbox died");
    void this.discard(member);
  }

  /**
   * A start keeps a core busy for 0.15 s, just when whoever was handed a sandbox runs a first command in it: what
   * nobody waits for begins a moment later. Never at once, since a member is counted in after it was handed out.
   */
  #refillSoon(): void {
    const isUrgent = [...this.#shelves.values()].some(
      (shelf) => shelf.waiting > 0 || shelf.starting > 0 || shelf.available.length < this.#deps.settings.min,
    );
    if (isUrgent) setImmediate(() => this.refill());
    this.#later ??= setTimeout(() => {
      this.#later = undefined;
      this.refill();
    }, quietMs);
  }

  /** Remembers work until it is done, so that `drain` can wait for it; whatever ends may have made room. */
  #track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => {
      this.#underWay.delete(tracked);
      this.#refillSoon();
    });
    this.#underWay.add(tracked);
    return tracked;
  }
}

function newMemberId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString("hex");
}
