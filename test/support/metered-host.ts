import { afterEach } from "vitest";
import type { HostCreate } from "#contract/host";
import { noQuantities, type Quantities, quantityNames, type UsageEvent } from "#contract/usage";
import type { Lease } from "#host/leases/store";
import { endSandbox } from "#host/sandboxes/end";
import { FakeRuntime } from "../fakes/runtime.ts";
import { hostHarness } from "./host-harness.ts";

type Options = { startMs?: number; outboxMaxBytes?: number };

/** A machine with two clocks, and the hosts that run on it one after the other. */
export function meteredMachine({ startMs = Date.UTC(2030, 0, 1, 10, 10), outboxMaxBytes }: Options = {}) {
  const clock = { nowMs: startMs };
  const steady = { ms: 5_000_000, bootId: "boot-1" };
  const boot = {
    get bootId() {
      return steady.bootId;
    },
    monotonicMs: () => steady.ms,
  };
  const runtime = new FakeRuntime(() => clock.nowMs);
  const options = { clock, boot, runtime, ...(outboxMaxBytes !== undefined && { outboxMaxBytes }) };
  let host = hostHarness(options);
  const { folder } = host;
  const everyone = [host];

  /** Time passes on both clocks, and the meter looks each second. */
  function pass(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      clock.nowMs += 1000;
      steady.ms += 1000;
      host.usage.tick(host.registry.all());
    }
  }
  const liveOf = (id: string) => {
    const live = host.registry.peek(id);
    if (!live) throw new Error(`${id} is not live.`);
    return live;
  };
  return {
    clock,
    steady,
    runtime,
    pass,
    host: () => host,
    create: async (over: Partial<HostCreate> = {}) => (await host.create(over)).sandboxId,
    liveOf,
    leaseOf: (id: string): Lease => liveOf(id).lease,
    use(id: string, cpuMs: number): void {
      const { handle } = liveOf(id).member;
      runtime.cpuMicrosUsed.set(handle, (runtime.cpuMicrosUsed.get(handle) ?? 0) + cpuMs * 1000);
    },
    end: (id: string) => endSandbox(host.deps, liveOf(id), "killed"),
    /** `kill -9` and another one in its place; what happens in between is up to the test. */
    async restart(meanwhile: () => void | Promise<void> = () => undefined) {
      host.crash();
      await meanwhile();
      host = hostHarness({ ...options, folder });
      everyone.push(host);
      const recovered = await host.recover();
      host.usage.tick(host.registry.all());
      return recovered;
    },
    /** Everything that has been metered and not been taken, oldest first. */
    events: (): UsageEvent[] => host.usage.outbox.peek(100_000)?.events ?? [],
    /** The control plane takes what there is. */
    take(): UsageEvent[] {
      const batch = host.usage.outbox.peek(100_000);
      if (batch) host.usage.outbox.acknowledge(batch);
      return batch?.events ?? [];
    },
    async dispose() {
      for (const each of everyone) {
        await each.pool.drain();
        each.dispose();
      }
    },
  };
}

/** Machines for the tests of one file, each gone when its test is over. */
export function machinesOfThisFile() {
  const machines: ReturnType<typeof meteredMachine>[] = [];
  afterEach(async () => {
    for (const each of machines.splice(0)) await each.dispose();
  });
  return (options: Options = {}) => {
    const made = meteredMachine(options);
    machines.push(made);
    return made;
  };
}

/** What some events say together. */
export function sumOf(events: readonly UsageEvent[]): Quantities {
  const sum = { ...noQuantities };
  for (const { quantities } of events) for (const name of quantityNames) sum[name] += quantities[name];
  return sum;
}
