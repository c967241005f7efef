import type { Logger } from "pino";
import type { CgroupLimits } from "../cgroup/limits.ts";
import type { Member, MemberSpec, Runtime } from "../runtime/runtime.ts";
import { untilReady } from "./ready.ts";
import { retryDelayMs } from "./refill.ts";
import type { Shelf } from "./shelf.ts";
import type { Tasks } from "./tasks.ts";

export type StartsDeps = {
  runtime: Pick<Runtime, "start" | "remove">;
  limits: CgroupLimits;
  startsMax: number;
  tasks: Tasks;
  log: Logger;
  /** A fresh member; whose it is, is decided there. */
  onStarted: (member: Member) => void;
  /** No other start of this shelf is under way that could still serve those who wait. */
  onHopeless: (shelf: Shelf, cause: unknown) => void;
  /** Whether one more is wanted at this moment. */
  isWanted: (shelf: Shelf) => boolean;
};

/** What is assumed of a start before one was measured. */
const firstGuessMs = 500;
const newestWeight = 0.2;

/** Starts of members: what is under way, how long they take, and when a failed one is tried again. */
export class Starts {
  readonly #deps: StartsDeps;
  readonly #memberIds = new Set<string>();
  readonly #retries = new Map<Shelf, NodeJS.Timeout>();
  #averageMs = firstGuessMs;
  #isOpen = true;

  constructor(deps: StartsDeps) {
    this.#deps = deps;
  }

  get underWay(): number {
    return this.#memberIds.size;
  }
  memberIds(): string[] {
    return [...this.#memberIds];
  }
  /** Members that can be made per second, from how long the last ones took side by side. */
  get perSecond(): number {
    return (this.#deps.startsMax * 1_000) / this.#averageMs;
  }

  start(shelf: Shelf): void {
    const { runtime, limits, tasks, log } = this.#deps;
    const memberId = newMemberId();
    const beganMs = performance.now();
    shelf.starting++;
    this.#memberIds.add(memberId);
    const ended = () => {
      shelf.starting--;
      this.#memberIds.delete(memberId);
    };
    const { template } = shelf;
    const started = startReady(runtime, { memberId, template, limits }).then(
      (member) => {
        ended();
        shelf.failures = 0;
        this.#note(performance.now() - beganMs);
        this.#deps.onStarted(member);
      },
      (cause: unknown) => {
        ended();
        shelf.failures++;
        const delayMs = retryDelayMs(shelf.failures);
        log.warn({ err: cause, template: template.name, delayMs }, "a sandbox did not start");
        if (shelf.starting === 0) this.#deps.onHopeless(shelf, cause);
        this.#retryIn(shelf, delayMs);
      },
    );
    void tasks.track(started);
  }

  /** Nothing is tried again from now on. */
  close(): void {
    this.#isOpen = false;
    for (const timer of this.#retries.values()) clearTimeout(timer);
  }

  #note(tookMs: number): void {
    this.#averageMs += (Math.max(1, tookMs) - this.#averageMs) * newestWeight;
  }

  /** One try for all that have failed: each of them for itself would pass the room that there is by then. */
  #retryIn(shelf: Shelf, delayMs: number): void {
    if (!this.#isOpen || this.#retries.has(shelf)) return;
    this.#retries.set(
      shelf,
      setTimeout(() => this.#retry(shelf), delayMs),
    );
  }

  #retry(shelf: Shelf): void {
    this.#retries.delete(shelf);
    if (shelf.starting > 0) return; // what comes of it decides
    if (this.#deps.isWanted(shelf)) this.start(shelf);
    else shelf.failures = 0; // nobody wants one now; the next who does tries anew
  }
}

/** A member that does not get ready is removed again: nothing is left of a start that failed. */
async function startReady(runtime: StartsDeps["runtime"], spec: MemberSpec): Promise<Member> {
  const member = await runtime.start(spec);
  try {
    await untilReady(member, spec.template.readyCommand);
    return member;
  } catch (cause) {
    member.connection.close();
    await runtime.remove(member);
    throw cause;
  }
}

function newMemberId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString("hex");
}
