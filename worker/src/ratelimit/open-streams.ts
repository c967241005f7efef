import type { TenantId } from "#contract/ids";
import { AppError } from "../errors.ts";

/** Which answers of each tenant still go on, in this process or isolate. */
export class OpenStreams {
  readonly #open = new Map<TenantId, number>();
  readonly #processes: number;

  /** @param processes how many serve the same tenants: each lets its part of a tenant's streams through */
  constructor(processes: number) {
    this.#processes = processes;
  }

  count(tenantId: TenantId): number {
    return this.#open.get(tenantId) ?? 0;
  }

  /**
   * Takes one of the tenant's places.
   * @returns gives the place back, once however often it is called
   * @throws AppError `too_many_streams`
   */
  open(tenantId: TenantId, limit: number): () => void {
    const open = this.count(tenantId);
    if (open >= Math.ceil(limit / this.#processes)) {
      const sentence = "The tenant has as many streams open as it may. Close one, or wait until one ends.";
      throw new AppError("too_many_streams", sentence, { facts: { limit, open } });
    }
    this.#open.set(tenantId, open + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = this.count(tenantId) - 1;
      if (left > 0) this.#open.set(tenantId, left);
      else this.#open.delete(tenantId);
    };
  }
}
