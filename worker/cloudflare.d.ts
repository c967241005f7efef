/** What we use of the runtime's own module; the rest of it is not ours to know. */
declare module "cloudflare:workers" {
  /** Keeps the isolate at work on this after the answer of the request at hand has gone. */
  export function waitUntil(work: Promise<unknown>): void;

  /** What an object keeps when it is moved or goes idle. */
  type ObjectState = {
    blockConcurrencyWhile(work: () => Promise<void>): Promise<void>;
    storage: {
      get<T>(key: string): Promise<T | undefined>;
      put(key: string, value: unknown, options: { allowUnconfirmed: boolean }): Promise<void>;
    };
  };
  export class DurableObject {
    constructor(ctx: ObjectState, env: unknown);
    protected readonly ctx: ObjectState;
  }
}
