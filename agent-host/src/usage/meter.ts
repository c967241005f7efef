import type { Logger } from "pino";
import type { SandboxBudget } from "#contract/usage";
import type { Lease, MeterStart } from "../leases/store.ts";
import type { Member, Runtime } from "../runtime/runtime.ts";
import type { Live } from "../sandboxes/registry.ts";
import { crossesHour, notBefore, type Point, start, withinBudget, withinGrant } from "./amounts.ts";
import type { Boot } from "./boot.ts";
import { type BudgetVerdict, verdictOn } from "./budget.ts";
import { eventsUpTo } from "./events.ts";
import type { Outbox } from "./outbox.ts";
import { keyOf, type Metered, type MeterState } from "./record.ts";

export type MeterDeps = {
  outbox: Outbox;
  runtime: Pick<Runtime, "cpuMicros">;
  boot: Boot;
  /** Length of an interval. */
  intervalMs: number;
  now: () => number;
  /** The verdict on a sandbox with a budget of its own, whenever it is not `go`; `warn` comes once. */
  onBudget: (live: Live, verdict: Exclude<BudgetVerdict, "go">) => void;
  log: Logger;
};

type MeteredLease = Lease & { meter: MeterStart };
const fresh: MeterState = { sequence: 0, point: start, isFinal: false, warnedCapMicros: 0 };

/**
 * Measures what each lease uses: time by a clock that never jumps, processor time by the kernel's counter. The wall
 * clock places a lease's beginning, and everything after it follows from there.
 */
export class UsageMeter {
  readonly #deps: MeterDeps;
  /** The latest reading of each control group, since its lease began. */
  readonly #cpuMicros = new Map<string, number>();
  /** The caps that were told of, also while the disk takes no note of it. */
  readonly #warnedMicros = new Map<string, number>();
  /** Ends that the disk had no room for. */
  readonly #unwritten = new Map<string, Metered[]>();

  constructor(deps: MeterDeps) {
    this.#deps = deps;
  }

  /** Forgets what former processes have metered of all leases but these. */
  keepOnly(leases: readonly Lease[]): void {
    this.#deps.outbox.keepOnly(new Set(leases.map(keyOf)));
  }

  /** Whether what is handed out now could be metered to its end. A disk that took nothing is tried again at once. */
  hasRoom(): boolean {
    this.#writeEnds();
    return this.#deps.outbox.hasRoom && this.#unwritten.size === 0;
  }

  /** What a new lease is measured from. */
  begin(member: Pick<Member, "handle">): MeterStart {
    const { boot, runtime } = this.#deps;
    return { bootId: boot.bootId, monotonicMs: boot.monotonicMs(), cpuMicros: readCpu(runtime, member) ?? 0 };
  }

  /** Closes the intervals that are due, and looks at the budgets. For every second. */
  tick(lives: readonly Live[]): void {
    this.#writeEnds();
    for (const live of lives) {
      const { lease } = live;
      if (live.isConfigured && !live.ending && isMetered(lease)) this.#look(live, lease);
    }
  }

  /** Takes a last reading while the control group is there; the kill that follows removes it. */
  read({ lease, member }: { lease: Lease; member: Pick<Member, "handle"> }): void {
    const micros = readCpu(this.#deps.runtime, member);
    if (micros === undefined || !lease.meter) return;
    const key = keyOf(lease);
    const used = micros - lease.meter.cpuMicros;
    this.#cpuMicros.set(key, Math.max(used, this.#cpuMicros.get(key) ?? 0));
  }

  /**
   * The last interval of a lease, which ends now or where it is said; asked again it does nothing. It is written here or
   * kept until the disk takes it.
   * @param elapsedMs since the lease began
   */
  finish(lease: Lease, elapsedMs?: number): void {
    const key = keyOf(lease);
    const state = this.#stateOf(lease);
    if (!isMetered(lease) || state.isFinal || this.#unwritten.has(key)) return;
    const to = this.#pointOf(lease, state, elapsedMs ?? this.elapsedMs(lease));
    const records = eventsUpTo(lease, state, to, { isFinal: true });
    if (!this.#deps.outbox.append(records)) this.#unwritten.set(key, records);
  }

  /** The lease is over and its end on record. */
  forget(lease: Pick<Lease, "sandboxId" | "generation">): void {
    const key = keyOf(lease);
    this.#cpuMicros.delete(key);
    this.#warnedMicros.delete(key);
    this.#deps.outbox.forget(key);
  }

  /** Time since a lease began. After a boot of the machine only the wall clock can tell. */
  elapsedMs(lease: Lease): number {
    const { boot, now } = this.#deps;
    if (lease.meter?.bootId === boot.bootId) return boot.monotonicMs() - lease.meter.monotonicMs;
    return Math.max(0, now() - lease.createdAtMs);
  }

  /** Up to where a lease is on record. */
  pointOf(lease: Lease): Point {
    return this.#stateOf(lease).point;
  }

  #stateOf(lease: Lease): MeterState {
    return this.#deps.outbox.stateOf(keyOf(lease)) ?? fresh;
  }

  #look(live: Live, lease: MeteredLease): void {
    const state = this.#stateOf(lease);
    if (state.isFinal) return;
    const elapsedMs = this.elapsedMs(lease);
    const isDue =
      elapsedMs - state.point.elapsedMs >= this.#deps.intervalMs ||
      crossesHour(lease.createdAtMs, state.point, elapsedMs);
    if (!isDue && !lease.budget) return;
    this.read(live);
    const verdict = lease.budget ? this.#verdictOn(lease, lease.budget, state, elapsedMs) : "go";
    const isWarning = verdict === "warn" && this.#isNewWarning(lease, state);
    if (isDue || isWarning) this.#close(lease, state, { elapsedMs, isWarning });
    if (verdict === "end" || isWarning) this.#deps.onBudget(live, verdict === "end" ? "end" : "warn");
  }

  #isNewWarning(lease: MeteredLease, state: MeterState): boolean {
    const key = keyOf(lease);
    const capMicros = lease.budget?.capMicros ?? 0;
    const isNew = capMicros > Math.max(state.warnedCapMicros, this.#warnedMicros.get(key) ?? 0);
    if (isNew) this.#warnedMicros.set(key, capMicros);
    return isNew;
  }

  #verdictOn(lease: MeteredLease, budget: SandboxBudget, state: MeterState, elapsedMs: number) {
    const cpuMicros = this.#cpuMicros.get(keyOf(lease)) ?? state.point.cpuMicros;
    return verdictOn(lease, budget, notBefore(state.point, { elapsedMs, cpuMicros }));
  }

  /** While there is no room the interval goes on: nothing is lost, it only becomes longer. */
  #close(lease: MeteredLease, state: MeterState, { elapsedMs, isWarning }: Closing): void {
    if (!this.#deps.outbox.hasRoom) return;
    const to = this.#pointOf(lease, state, elapsedMs);
    // Past what was granted or can be paid for, time goes on and nothing more is counted.
    if (to.elapsedMs === state.point.elapsedMs && !isWarning) return;
    this.#deps.outbox.append(
      eventsUpTo(lease, state, to, { isFinal: false, ...(isWarning && { isBudgetWarning: true }) }),
    );
  }

  #pointOf(lease: MeteredLease, { point }: MeterState, elapsedMs: number): Point {
    const cpuMicros = this.#cpuMicros.get(keyOf(lease)) ?? point.cpuMicros;
    const grantedMs = lease.expiresAtMs - lease.createdAtMs;
    const to = notBefore(point, withinGrant(lease, { elapsedMs, cpuMicros }, grantedMs));
    return lease.budget ? withinBudget(lease, lease.budget, point, to) : to;
  }

  #writeEnds(): void {
    if (this.#unwritten.size === 0) this.#deps.outbox.probe();
    for (const [key, records] of this.#unwritten) {
      if (!this.#deps.outbox.append(records)) return;
      this.#unwritten.delete(key);
      this.#deps.outbox.forget(key);
    }
  }
}

type Closing = { elapsedMs: number; isWarning: boolean };

function isMetered(lease: Lease): lease is MeteredLease {
  return lease.meter !== undefined;
}

/** @returns undefined when the control group has gone */
function readCpu(runtime: MeterDeps["runtime"], member: Pick<Member, "handle">): number | undefined {
  try {
    return runtime.cpuMicros(member);
  } catch {
    return undefined;
  }
}
