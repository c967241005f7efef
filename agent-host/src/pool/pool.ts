import type { Logger } from "pino";
import type { PoolHealth } from "#contract/host";
import type { Member, Runtime, TemplateImage } from "../runtime/runtime.ts";
import { Caretaker } from "./caretaker.ts";
import { Outlook, type OutlookDeps } from "./outlook.ts";
import { Pacer } from "./pacer.ts";
import { untilReady } from "./ready.ts";
import { startsWanted } from "./refill.ts";
import { closed } from "./refusals.ts";
import type { Entry, Shelf } from "./shelf.ts";
import { Shelves } from "./shelves.ts";
import { Starts } from "./starts.ts";
import { Tasks } from "./tasks.ts";

export type PoolDeps = OutlookDeps & {
  runtime: Pick<Runtime, "start" | "remove" | "park" | "thaw">;
  log: Logger;
};

/**
 * Warm sandboxes that nobody has used, per template. A member leaves the pool once and never comes back; refilling,
 * shrinking and parking go on in the background.
 */
export class Pool {
  readonly #deps: PoolDeps;
  readonly #shelves: Shelves;
  readonly #tasks = new Tasks();
  readonly #starts: Starts;
  readonly #outlook: Outlook;
  readonly #caretaker: Caretaker;
  readonly #pacer: Pacer;
  #isOpen = true;

  constructor(deps: PoolDeps, templates: TemplateImage[]) {
    this.#deps = deps;
    const { waitingMax: max, waitingPerTenantMax: perTenantMax } = deps.settings;
    this.#shelves = new Shelves(templates, { max, perTenantMax }, deps.now());
    this.#starts = this.#makeStarts();
    const outlook = new Outlook(deps, this.#shelves.all, this.#starts);
    this.#outlook = outlook;
    this.#caretaker = new Caretaker({
      ...deps,
      targetOf: (shelf) => outlook.targetOf(shelf),
      isQuiet: (shelf) => outlook.isQuiet(shelf),
      offer: (shelf, entry) => void this.#offer(shelf, entry),
      discard: (member) => this.discard(member),
    });
    this.#pacer = new Pacer({
      delayMs: (sinceHandOutMs, postponedMs) => outlook.refillDelayMs(sinceHandOutMs, postponedMs),
      work: () => this.refill(),
    });
  }

  #makeStarts(): Starts {
    const { runtime, settings, log } = this.#deps;
    return new Starts({
      runtime,
      limits: settings.memberLimits,
      startsMax: settings.startsMax,
      tasks: this.#tasks,
      log,
      onStarted: (member) => {
        this.put(member);
        this.#pacer.soon();
      },
      onHopeless: (shelf, cause) => shelf.line.refuseAll(() => this.#outlook.refusal(shelf, cause)),
      isWanted: (shelf) => startsWanted(this.#outlook.factsOf(shelf)) > 0,
    });
  }

  /** Members that hold memory and that no lease counts. */
  get unleased(): number {
    return this.#outlook.unleased;
  }

  /** Any warm member that is not parked, left where it is. */
  first(): Member | undefined {
    return this.#shelves.entries().find(({ isParked }) => !isParked)?.member;
  }

  /**
   * Fills up and waits until every template has `min` warm members.
   * @returns false when `deadlineMs` came first, when there is no room for them, as after the restart of a full host, or
   * when starts fail.
   */
  warmUp(deadlineMs: number): Promise<boolean> {
    this.refill();
    return this.#outlook.untilSettled(deadlineMs);
  }

  memberIds(): string[] {
    return [...this.#starts.memberIds(), ...this.#shelves.memberIds()];
  }

  state(): PoolHealth[] {
    return this.#outlook.health();
  }

  /**
   * Takes a member out of the pool, or waits in line for one to be made.
   * @throws HostError `no_capacity` when the host or the line is full, or after `deadlineMs`.
   */
  async take(
    templateName: string,
    tenantId: string,
    deadlineMs: number,
  ): Promise<{ member: Member; isWarm: boolean }> {
    const shelf = this.#shelves.of(templateName);
    if (!shelf || !this.#isOpen) throw closed();
    shelf.noteArrival(this.#deps.now());
    for (let entry = shelf.take(); entry; entry = shelf.take()) {
      if (entry.member.connection.isOpen) {
        this.#awaken(entry);
        shelf.handOut(entry.member);
        this.#pacer.handedOut();
        return { member: entry.member, isWarm: true };
      }
      void this.discard(entry.member);
    }
    if (!this.#outlook.mayWait(shelf, tenantId)) throw this.#outlook.refusal(shelf);
    const coming = shelf.line.wait(tenantId, deadlineMs, () => this.#outlook.refusal(shelf));
    this.refill();
    return { member: await coming, isWarm: false };
  }

  /** Gives a fresh or adopted member to whose turn it is, else keeps it warm. */
  put(member: Member): void {
    const shelf = this.#shelves.of(member.template);
    if (!shelf || !this.#isOpen || !member.connection.isOpen) {
      void this.discard(member);
      return;
    }
    shelf.takeBack(member);
    const nowMs = this.#deps.now();
    const entry: Entry = { member, warmSinceMs: nowMs, isParked: false, checkedAtMs: nowMs };
    if (!this.#offer(shelf, entry)) return;
    void member.connection.closed.then((reason) => this.#lost(shelf, entry, reason));
  }

  /** Takes a member of a former life: whether it had got ready by then is not known. */
  async adopt(member: Member): Promise<void> {
    const command = this.#shelves.of(member.template)?.template.readyCommand;
    // It is closed then, which `put` takes for dead.
    await untilReady(member, command).catch(() => member.connection.close());
    this.put(member);
  }

  /** Members of a template are made of this image from now on. */
  setImage(template: string, image: string): void {
    const shelf = this.#shelves.of(template);
    if (shelf) shelf.template = { ...shelf.template, image };
  }

  /** Starts what is missing, as far as there is room. */
  refill(): void {
    if (!this.#isOpen) return;
    for (const shelf of this.#shelves.all) {
      if (shelf.failures > 0) continue; // its retry timer is set
      for (let wanted = startsWanted(this.#outlook.factsOf(shelf)); wanted > 0; wanted--)
        this.#starts.start(shelf);
    }
  }

  /** Ends a member for good; what could not be removed is logged and left to the sweep. */
  discard(member: Member): Promise<void> {
    member.connection.close();
    this.#shelves.of(member.template)?.takeBack(member);
    const { runtime, log } = this.#deps;
    const removed = runtime
      .remove(member)
      .catch((cause: unknown) =>
        log.error({ err: cause, memberId: member.memberId }, "a sandbox was not removed"),
      )
      // Whatever ends may have made room.
      .finally(() => this.#pacer.soon());
    return this.#tasks.track(removed);
  }

  /** Ends as many idle members as hold this much memory, the oldest first, if one is left after that. */
  giveWay(memoryMiB: number): void {
    const count = Math.ceil(memoryMiB / this.#deps.settings.memberLimits.memoryMiB);
    for (const { member } of this.#shelves.takeOldest(count)) void this.discard(member);
  }

  /** Looks after what is warm: ends what is too much or too old, parks what is there for long, refills. */
  async tend(): Promise<void> {
    for (const shelf of this.#shelves.all) await this.#tasks.track(this.#caretaker.tend(shelf));
    this.refill();
  }

  /** Pings every warm member that is not parked; one that does not answer is replaced. */
  async checkHealth(deadlineMs: number): Promise<void> {
    for (const shelf of this.#shelves.all) await this.#caretaker.checkHealth(shelf, deadlineMs);
  }

  /** Takes members out that the engine does not run any more, which a parked one cannot tell by itself. */
  giveUp(gone: readonly string[]): void {
    for (const { member } of this.#shelves.entries())
      if (gone.includes(member.memberId)) member.connection.close();
  }
  /** Those on the shelves. */
  warmIds(): string[] {
    return this.#shelves.entries().map(({ member }) => member.memberId);
  }

  /** Ends the pool: nothing is started or handed out any more, and what is warm is removed. */
  async drain(): Promise<void> {
    this.#isOpen = false;
    this.#starts.close();
    this.#pacer.close();
    for (const shelf of this.#shelves.all) {
      shelf.line.refuseAll(() => this.#outlook.refusal(shelf));
      for (const entry of shelf.entries()) {
        shelf.remove(entry);
        void this.discard(entry.member);
      }
    }
    await this.#tasks.settled();
  }

  /** @returns whether it is on the shelf now; false when it went to somebody who waits, or is not wanted any more. */
  #offer(shelf: Shelf, entry: Entry): boolean {
    shelf.drop(entry);
    if (!this.#isOpen || !entry.member.connection.isOpen) {
      void this.discard(entry.member);
      return false;
    }
    if (shelf.line.length > 0) {
      this.#awaken(entry);
      shelf.handOut(entry.member);
      return !shelf.line.serve(entry.member);
    }
    shelf.add(entry);
    return true;
  }

  #awaken(entry: Entry): void {
    if (!entry.isParked) return;
    entry.isParked = false;
    this.#deps.runtime.thaw(entry.member);
  }

  #lost(shelf: Shelf, entry: Entry, reason: Error): void {
    if (!shelf.remove(entry)) return; // handed out meanwhile: its lease looks after it; or away: who has it looks
    const { memberId } = entry.member;
    this.#deps.log.warn({ memberId, reason: reason.message }, "a warm sandbox died");
    void this.discard(entry.member);
  }
}
