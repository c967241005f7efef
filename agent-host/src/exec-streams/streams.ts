import { limits } from "#contract/limits";
import { HostError } from "../errors.ts";
import { EventRing } from "./ring.ts";

export type StreamOwner = { sandboxId: string; tenantId: string };
export type ExecStream = StreamOwner & {
  execId: string;
  ring: EventRing;
  /** How long its connection may be silent. */
  silenceMs: number;
  /** Nobody can read it any more. */
  onForgotten(): void;
};
export type StreamOptions = {
  /** The reader left before the end. */
  onAbandoned(): void;
  onForgotten?(): void;
  silenceMs?: number;
  /** Of a command that was begun under a former host: what came up to this number is gone. */
  startSeq?: number;
};
type Held = { streams: Set<ExecStream>; bytes: number };

/** Every command stream that can still be read, until a while after its end: bounded per sandbox, per tenant, in all. */
export class ExecStreams {
  readonly #streams = new Map<string, ExecStream>();
  readonly #bySandbox = new Map<string, Held>();
  /** The oldest first. */
  readonly #byTenant = new Map<string, Set<ExecStream>>();
  #bytes = 0;

  get heldBytes(): number {
    return this.#bytes;
  }

  /**
   * @throws HostError `too_many_execs` when as many are under way as a host takes of one tenant, or of all; `conflict` for
   * an id in use
   */
  open(owner: StreamOwner, execId: string, options: StreamOptions): ExecStream {
    // Ids come back from sandboxes after a restart: one that lies must not get at another one's stream.
    if (this.#streams.has(execId)) throw new HostError("conflict", "This command has a stream already.");
    this.#makeRoom(owner.tenantId);
    const held = this.#bySandbox.get(owner.sandboxId) ?? { streams: new Set(), bytes: 0 };
    const onHeld = (change: number) => {
      held.bytes += change;
      this.#bytes += change;
      if (change > 0) this.#keepToBounds(held);
    };
    const stream: ExecStream = {
      ...owner,
      execId,
      silenceMs: options.silenceMs ?? limits.streamCommentMs,
      onForgotten: options.onForgotten ?? (() => undefined),
      ring: new EventRing({ onAbandoned: options.onAbandoned, onHeld }, options.startSeq),
    };
    held.streams.add(stream);
    this.#bySandbox.set(owner.sandboxId, held);
    this.#byTenant.set(owner.tenantId, (this.#byTenant.get(owner.tenantId) ?? new Set()).add(stream));
    this.#streams.set(execId, stream);
    return stream;
  }

  /** The stream of that id, when it is this tenant's and this sandbox's. */
  find(execId: string, { sandboxId, tenantId }: StreamOwner): ExecStream | undefined {
    const stream = this.#streams.get(execId);
    return stream?.sandboxId === sandboxId && stream.tenantId === tenantId ? stream : undefined;
  }

  /** The command has ended: who lost the connection has a while to read the rest. */
  forgetLater(stream: ExecStream, keptMs: number = limits.execStreamKeptMs): void {
    setTimeout(() => this.forget(stream), keptMs).unref();
  }

  forgetById(execId: string): void {
    const stream = this.#streams.get(execId);
    if (stream) this.forget(stream);
  }

  forget(stream: ExecStream): void {
    if (!this.#streams.delete(stream.execId)) return;
    stream.onForgotten();
    const ofTenant = this.#byTenant.get(stream.tenantId);
    ofTenant?.delete(stream);
    if (ofTenant?.size === 0) this.#byTenant.delete(stream.tenantId);
    const held = this.#bySandbox.get(stream.sandboxId);
    if (!held) return;
    held.streams.delete(stream);
    held.bytes -= stream.ring.heldBytes;
    this.#bytes -= stream.ring.heldBytes;
    if (held.streams.size === 0) this.#bySandbox.delete(stream.sandboxId);
  }

  #keepToBounds(held: Held): void {
    if (held.bytes > limits.execStreamsSandboxBytes) relieve(this, held, limits.execStreamsSandboxBytes / 2);
    if (this.#bytes <= limits.execStreamsHostBytes) return;
    const most = [...this.#bySandbox.values()].reduce((a, b) => (b.bytes > a.bytes ? b : a));
    relieve(this, most, most.bytes / 2);
  }

  /** A tenant that has its share gives up one of its own; on a full host those who have the most come first. */
  #makeRoom(tenantId: string): void {
    const own = this.#byTenant.get(tenantId);
    if (own && own.size >= limits.execStreamsTenantMax) this.#dropOldestEnded([own]);
    else if (this.#streams.size >= limits.execStreamsHostMax)
      this.#dropOldestEnded([...this.#byTenant.values()].sort((a, b) => b.size - a.size));
  }

  #dropOldestEnded(tenants: Set<ExecStream>[]): void {
    for (const streams of tenants) {
      for (const stream of streams) {
        if (!stream.ring.isEnded || stream.ring.isRead) continue;
        this.forget(stream);
        return;
      }
    }
    throw new HostError("too_many_execs", "Wait for a command on this host to end, then try again.");
  }
}

/** By half, so that it is not done for every event: what has ended goes first, then the oldest that nobody awaits. */
function relieve(streams: ExecStreams, held: Held, toBytes: number): void {
  const enough = () => held.bytes <= toBytes;
  for (const stream of held.streams) {
    if (!enough() && stream.ring.isEnded && !stream.ring.isRead) streams.forget(stream);
  }
  for (const { ring } of held.streams) if (!enough()) ring.shrink(ring.heldBytes / 2);
}
