import type { Logger } from "pino";
import { limits } from "#contract/limits";

/** One heartbeat after the other, never two at once: every 5 s, and right after something has ended. */
export class Pulse {
  readonly #beat: () => Promise<void>;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<boolean> | undefined;
  #isWanted = false;
  #isStopped = false;
  #wasHeard = true;

  constructor(beat: () => Promise<void>, log: Logger) {
    this.#beat = beat;
    this.#log = log;
  }

  /** Beats as soon as the one under way is through. */
  soon(): void {
    this.#isWanted = true;
    if (this.#underWay || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.now(), 0);
  }

  /** @returns whether the control plane has heard this beat. */
  now(): Promise<boolean> {
    this.#underWay ??= this.#run().finally(() => {
      this.#underWay = undefined;
      if (this.#isStopped) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(
        () => void this.now(),
        this.#isWanted && this.#wasHeard ? 0 : limits.heartbeatMs,
      );
    });
    return this.#underWay;
  }

  /** Ends the regular beats; `now` still works, for the last words. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#underWay;
  }

  async #run(): Promise<boolean> {
    this.#isWanted = false;
    try {
      await this.#beat();
      if (!this.#wasHeard) this.#log.info("the control plane hears this host again");
      this.#wasHeard = true;
    } catch (cause) {
      if (this.#wasHeard) this.#log.warn({ err: cause }, "the control plane did not hear this host");
      this.#wasHeard = false;
    }
    return this.#wasHeard;
  }
}
