/** What the entry uses of the runtime's own module; the rest of it is not ours to know. */
declare module "cloudflare:workers" {
  /** Keeps the isolate at work on this after the answer of the request at hand has gone. */
  export function waitUntil(work: Promise<unknown>): void;
}
