import type { Logger } from "pino";

const idleMs = 1_000;
const retryFirstMs = 500;
const retryMaxMs = 30_000;

/** One delivery after the other, never two at once, and later and later while nobody takes them. */
export class Courier {
  readonly #deliver: () => Promise<boolean>;
  readonly #random: () => number;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<boolean> | undefined;
  #isStopped = false;
  #failures = 0;

  /** @param deliver whether there may be more; it throws when nothing was taken */
  constructor(deliver: () => Promise<boolean>, log: Logger, random: () => number = Math.random) {
    this.#deliver = deliver;
    this.#log = log;
    this.#random = random;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#run(), idleMs);
  }

  /** Ends the regular deliveries and tries the last ones, until none is left, one fails or the time is over. */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#underWay;
    const endMs = performance.now() + deadlineMs;
    while (performance.now() < endMs && (await this.#once()));
  }

  async #run(): Promise<void> {
    this.#underWay = this.#once();
    const hasMore = await this.#underWay;
    this.#underWay = undefined;
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#run(), hasMore ? 0 : this.#pauseMs());
  }

  /** @returns whether there is more that would be taken. */
  async #once(): Promise<boolean> {
    try {
      const hasMore = await this.#deliver();
      if (this.#failures > 0) this.#log.info("the control plane takes usage again");
      this.#failures = 0;
      return hasMore;
    } catch (cause) {
      if (this.#failures === 0) this.#log.warn({ err: cause }, "the control plane does not take usage");
      this.#failures++;
      return false;
    }
  }

  /** Half of each pause is by chance, so that many hosts do not come back in step. */
  #pauseMs(): number {
    if (this.#failures === 0) return idleMs;
    const fullMs = Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(this.#failures, 10));
    return fullMs / 2 + (fullMs / 2) * this.#random();
  }
}
