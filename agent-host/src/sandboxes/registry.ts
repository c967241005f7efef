import type { SandboxEnd } from "#contract/host";
import type { EndReason } from "#contract/sandbox";
import { HostError } from "../errors.ts";
import type { Lease } from "../leases/store.ts";
import type { ProcessTable } from "../processes/table.ts";
import type { Member } from "../runtime/runtime.ts";

/** A sandbox that is handed out. */
export type Live = {
  lease: Lease;
  readonly member: Member;
  /** Handed out for good; before that the create may still fail and be tried on another member. */
  isConfigured: boolean;
  lastActiveAtMs: number;
  /** Commands and file operations under way; while there are any the sandbox is not idle. */
  operations: number;
  /** What this host has started in it; made with the first. */
  processes?: ProcessTable;
  /** Watches under way. */
  watches?: number;
  /** The engine was asked to show its container under its id. */
  isNamed?: true;
  /** Set once, by whoever ends it first. */
  ending?: { reason: EndReason; done: Promise<SandboxEnd> };
};

/** Enough for callers whose request crosses the end of their sandbox. */
const recentEndsMax = 1000;

/** What lives on this host, by id, and what has ended just now. */
export class Registry {
  readonly #live = new Map<string, Live>();
  readonly #members = new Set<string>();
  readonly #countByTemplate = new Map<string, number>();
  readonly #recentEnds = new Map<string, { tenantId: string; reason: EndReason }>();

  get size(): number {
    return this.#live.size;
  }
  all(): Live[] {
    return [...this.#live.values()];
  }
  add(live: Live): void {
    const former = this.#live.get(live.lease.sandboxId);
    if (former) this.forget(former);
    this.#live.set(live.lease.sandboxId, live);
    this.#members.add(live.member.memberId);
    this.#count(live.lease.template, 1);
  }
  hasMember(memberId: string): boolean {
    return this.#members.has(memberId);
  }
  countOf(template: string): number {
    return this.#countByTemplate.get(template) ?? 0;
  }
  #count(template: string, change: number): void {
    this.#countByTemplate.set(template, this.countOf(template) + change);
  }
  peek(sandboxId: string): Live | undefined {
    return this.#live.get(sandboxId);
  }

  /** An id that has lived here is spent: a create that comes late must not bring it back. */
  hasEnded(sandboxId: string): boolean {
    return this.#recentEnds.has(sandboxId);
  }

  /** Takes out what nobody was told of, so that its id may be tried again. */
  forget(live: Live): void {
    if (!this.#live.delete(live.lease.sandboxId)) return;
    this.#members.delete(live.member.memberId);
    this.#count(live.lease.template, -1);
  }

  remove(live: Live, reason: EndReason): void {
    const { sandboxId, tenantId } = live.lease;
    this.forget(live);
    this.#recentEnds.set(sandboxId, { tenantId, reason });
    const oldest = this.#recentEnds.keys().next();
    if (this.#recentEnds.size > recentEndsMax && !oldest.done) this.#recentEnds.delete(oldest.value);
  }

  /** @throws HostError `sandbox_ended`, or `sandbox_not_found` for an unknown id and for another tenant's alike. */
  find(sandboxId: string, tenantId: string): Live {
    const live = this.#live.get(sandboxId);
    if (live?.lease.tenantId === tenantId) {
      if (live.ending) throw ended(live.ending.reason);
      return live;
    }
    const end = this.#recentEnds.get(sandboxId);
    if (end?.tenantId === tenantId) throw ended(end.reason);
    throw new HostError("sandbox_not_found", "Check the sandbox id.");
  }

  /** The same for a caller whose tenant is not known; who may ask what of it is the caller's to decide. */
  findForAnyone(sandboxId: string): Live {
    const tenantId = this.#live.get(sandboxId)?.lease.tenantId ?? this.#recentEnds.get(sandboxId)?.tenantId;
    return this.find(sandboxId, tenantId ?? "");
  }
}

export function ended(reason: EndReason): HostError {
  return new HostError("sandbox_ended", `The sandbox has ended (${reason}); create a new one.`, {
    facts: { endReason: reason },
  });
}

/** Counts an operation in for as long as it runs, so that a busy sandbox is never taken for an idle one. */
export async function whileActive<T>(live: Live, now: () => number, work: () => Promise<T>): Promise<T> {
  const finish = begin(live, now);
  try {
    return await work();
  } finally {
    finish();
  }
}

/** Counts an operation in until what is returned is called; calling it again changes nothing. */
export function begin(live: Live, now: () => number): () => void {
  live.operations++;
  live.lastActiveAtMs = now();
  let isUnderWay = true;
  return () => {
    if (!isUnderWay) return;
    isUnderWay = false;
    live.operations--;
    live.lastActiveAtMs = now();
  };
}
