import { lookInside } from "./checks.ts";
import type { BenchClient, Created } from "./client.ts";
import { eachOf } from "./parallel.ts";

/** Long enough for every case: nothing may end by itself while it is measured. */
const life = { lifetimeSeconds: 3_600, idleSeconds: 3_600 };
const deletesAtOnce = 4;

/** The sandboxes that a stage holds. Each is looked into once, and all end with the stage. */
export class Fleet {
  readonly #api: BenchClient;
  readonly #uids = new Map<string, number | undefined>();
  readonly #coming = new Set<Promise<Created>>();
  #isOver = false;

  constructor(api: BenchClient) {
    this.#api = api;
  }

  get ids(): string[] {
    return [...this.#uids.keys()];
  }

  create(): Promise<Created> {
    if (this.#isOver) return Promise.reject(new Error("The stage is over."));
    const coming = this.#create();
    this.#coming.add(coming);
    void coming.catch(() => undefined).finally(() => this.#coming.delete(coming));
    return coming;
  }

  async #create(): Promise<Created> {
    const created = await this.#api.create(life);
    if (this.#uids.has(created.id)) throw new Error("Two creates were answered with one sandbox.");
    this.#uids.set(created.id, undefined);
    return created;
  }

  /** @throws Error when the sandbox was used before, or runs under the uid of another live one */
  async inspect(id: string): Promise<void> {
    const uid = await lookInside(this.#api, id);
    for (const [other, taken] of this.#uids)
      if (other !== id && taken === uid) throw new Error(`Two live sandboxes run under the uid ${uid}.`);
    this.#uids.set(id, uid);
  }

  async delete(id: string): Promise<void> {
    this.#uids.delete(id); // from now on its uid may be another's
    await this.#api.delete(id);
  }

  /** Ends what there is and what is only being made; whoever still works with it fails. */
  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.allSettled(this.#coming);
    await this.deleteAll();
  }

  deleteAll(): Promise<void> {
    return eachOf(this.ids, deletesAtOnce, (id) => this.delete(id));
  }
}
