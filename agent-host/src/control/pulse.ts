import type { Logger } from "pino";
import { limits } from "#contract/limits";

const firstRetryMs = 25;

/** One heartbeat after the other, never two at once: every 5 s, and right after something has ended. */
export class Pulse {
  readonly #beat: () => Promise<void>;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<boolean> | undefined;
  #isWanted = false;
  #isStopped = false;
  #failures = 0;

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
      this.#timer = setTimeout(() => void this.now(), this.#pauseMs());
    });
    return this.#underWay;
  }

  /** Beats until the control plane has heard one. @returns false when the signal came first; the beats go on. */
  async untilHeard(signal: AbortSignal): Promise<boolean> {
    while (!(await this.now())) {
      if (signal.aborted) return false;
      await new Promise((again) => setTimeout(again, firstRetryMs));
    }
    return true;
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
      if (this.#failures > 0) this.#log.info("the control plane hears this host again");
      this.#failures = 0;
    } catch (cause) {
      if (this.#failures === 0) this.#log.warn({ err: cause }, "the control plane did not hear this host");
      this.#failures++;
    }
    return this.#failures === 0;
  }

  /** A control plane that is just starting is asked again soon; the first minutes of silence cost little. */
  #pauseMs(): number {
    if (this.#failures > 0)
      return Math.min(limits.heartbeatMs, firstRetryMs * 2 ** Math.min(this.#failures, 10));
    return this.#isWanted ? 0 : limits.heartbeatMs;
  }
}
