type Waiter<T> = { resolve(item: T): void; reject(cause: unknown): void };

export type LineBounds = { max: number; perTenantMax: number };

/**
 * Creates that wait, fair between tenants: each tenant's own come in their order, and tenants take turns, so a tenant
 * that asks for fifty does not stand before one that asks for one.
 */
export class Line<T> {
  readonly #bounds: LineBounds;
  /** In order of turns: who is served goes to the end. */
  readonly #queues = new Map<string, Waiter<T>[]>();
  #length = 0;

  constructor(bounds: LineBounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#length;
  }

  hasPlaceFor(tenantId: string): boolean {
    const own = this.#queues.get(tenantId)?.length ?? 0;
    return this.#length < this.#bounds.max && own < this.#bounds.perTenantMax;
  }

  /** @throws what `refusal` makes, after `deadlineMs`. */
  wait(tenantId: string, deadlineMs: number, refusal: () => Error): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter<T> = {
        resolve: (item) => {
          clearTimeout(timer);
          resolve(item);
        },
        reject: (cause) => {
          clearTimeout(timer);
          reject(cause);
        },
      };
      const timer = setTimeout(() => {
        this.#leave(tenantId, waiter);
        reject(refusal());
      }, deadlineMs);
      const queue = this.#queues.get(tenantId) ?? [];
      queue.push(waiter);
      this.#queues.set(tenantId, queue);
      this.#length++;
    });
  }

  /** Hands an item to whose turn it is. @returns false when nobody waits. */
  serve(item: T): boolean {
    const turn = this.#queues.entries().next();
    if (turn.done) return false;
    const [tenantId, queue] = turn.value;
    const waiter = queue.shift();
    this.#queues.delete(tenantId);
    if (queue.length > 0) this.#queues.set(tenantId, queue);
    this.#length--;
    waiter?.resolve(item);
    return true;
  }

  refuseAll(refusal: () => Error): void {
    const waiters = [...this.#queues.values()].flat();
    this.#queues.clear();
    this.#length = 0;
    for (const waiter of waiters) waiter.reject(refusal());
  }

  #leave(tenantId: string, waiter: Waiter<T>): void {
    const queue = this.#queues.get(tenantId) ?? [];
    queue.splice(queue.indexOf(waiter), 1);
    this.#length--;
    if (queue.length === 0) this.#queues.delete(tenantId);
  }
}
