type PacerDeps = {
  /** How long the work may still wait. */
  delayMs: (sinceHandOutMs: number, postponedMs: number) => number;
  work: () => void;
};

/** Sets the time of the next refill. */
export class Pacer {
  readonly #deps: PacerDeps;
  #timer: NodeJS.Timeout | undefined;
  #handedOutAtMs = Number.NEGATIVE_INFINITY;
  #postponedSinceMs: number | undefined;
  #isOpen = true;

  constructor(deps: PacerDeps) {
    this.#deps = deps;
  }

  /** A member has gone. */
  handedOut(): void {
    this.#handedOutAtMs = performance.now();
    this.soon();
  }

  /** Something has changed that the refill should look at. */
  soon(): void {
    if (!this.#isOpen) return;
    const nowMs = performance.now();
    this.#postponedSinceMs ??= nowMs;
    const delayMs = this.#deps.delayMs(nowMs - this.#handedOutAtMs, nowMs - this.#postponedSinceMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#postponedSinceMs = undefined;
      this.#deps.work();
    }, delayMs);
  }

  close(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
  }
}
