import { HostError } from "../errors.ts";
import type { Member, TemplateImage } from "../runtime/runtime.ts";

type Waiter = { resolve(member: Member): void; reject(cause: unknown): void };

/** The warm members of one template and the creates that wait for one, first come first served. */
export class Shelf {
  readonly template: TemplateImage;
  readonly available: Member[] = [];
  readonly #waiters: Waiter[] = [];
  starting = 0;
  /** Failed starts in a row. */
  failures = 0;

  constructor(template: TemplateImage) {
    this.template = template;
  }

  /** Nothing is being made, and no failed start waits to be tried again. */
  get isQuiet(): boolean {
    return this.starting === 0 && this.failures === 0;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** Hands a member to whoever waits longest. @returns false when nobody waits. */
  serve(member: Member): boolean {
    const waiter = this.#waiters.shift();
    waiter?.resolve(member);
    return waiter !== undefined;
  }

  refuseAll(cause?: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(noCapacity(cause));
  }

  /** @throws HostError `no_capacity` after `deadlineMs`. */
  wait(deadlineMs: number): Promise<Member> {
    return new Promise((resolve, reject) => {
      const settle = () => clearTimeout(timer);
      const waiter: Waiter = {
        resolve: (member) => {
          settle();
          resolve(member);
        },
        reject: (cause) => {
          settle();
          reject(cause);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        waiter.reject(noCapacity());
      }, deadlineMs);
      this.#waiters.push(waiter);
    });
  }
}

export function noCapacity(cause?: unknown): HostError {
  return new HostError("no_capacity", "This host has no room; try again in a few seconds.", { cause });
}
