import { limits } from "#contract/limits";

const generationMs = 2 * limits.signatureWindowMs;
/** 60 s of 10,000 requests a second; past it requests are refused rather than remembered badly. */
const perGenerationMax = 600_000;

/** Remembers nonces for as long as their requests could be accepted, in two generations that take turns. */
export class NonceWindow {
  #current = new Set<string>();
  #previous = new Set<string>();
  #turnedAtMs = 0;

  /** Notes the nonce. @returns false when it was seen before, or when too many were. */
  isFresh(nonce: string, createdMs: number, nowMs: number): boolean {
    if (nowMs - this.#turnedAtMs >= generationMs) {
      this.#previous = nowMs - this.#turnedAtMs >= 2 * generationMs ? new Set() : this.#current;
      this.#current = new Set();
      this.#turnedAtMs = nowMs;
    }
    const entry = `${createdMs}.${nonce}`;
    if (this.#current.has(entry) || this.#previous.has(entry)) return false;
    if (this.#current.size >= perGenerationMax) return false;
    this.#current.add(entry);
    return true;
  }
}
