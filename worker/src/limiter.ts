/**
 * The Durable Object that will own the token buckets of a tenant. Nothing calls it yet: its name, its binding and its
 * migration are settled now, because a class keeps the kind of storage that it was first deployed with.
 */
export class Limiter {
  fetch(): Response {
    return new Response("There are no buckets yet.", { status: 501 });
  }
}
