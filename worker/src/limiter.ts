import { DurableObject } from "cloudflare:workers";
import { Buckets, type Grant, type Wanted, type Wish } from "./ratelimit/buckets.ts";

/** Three classes, and the keys of one tenant that have a rate of their own. */
const bucketsMax = 1_000;
/** What was spent within this time passes again when the object is lost; going idle loses nothing. */
const keptEveryMs = 1_000;
const storageKey = "buckets";

/** The Durable Object that owns the buckets of one tenant, whichever isolates serve it. */
export class Limiter extends DurableObject {
  readonly #buckets = new Buckets(bucketsMax);
  #isKeeping = false;

  constructor(...args: ConstructorParameters<typeof DurableObject>) {
    super(...args);
    this.ctx.blockConcurrencyWhile(async () => {
      const kept = await this.ctx.storage.get<ReturnType<Buckets["snapshot"]>>(storageKey);
      if (kept) this.#buckets.restore(kept);
    });
  }

  /** Takes the same tokens from all of these buckets, or from none. */
  take(wanted: Wanted[], wish: Wish): Grant {
    const grant = this.#buckets.take(wanted, wish, Date.now());
    this.#keepSoon();
    return grant;
  }

  #keepSoon(): void {
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    setTimeout(() => {
      this.#isKeeping = false;
      // Nobody's answer waits for it.
      void this.ctx.storage.put(storageKey, this.#buckets.snapshot(Date.now()), { allowUnconfirmed: true });
    }, keptEveryMs);
  }
}
