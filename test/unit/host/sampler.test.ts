import { pino } from "pino";
import { expect, test } from "vitest";
import { newHostCode, newSandboxId, newTenantId } from "#contract/ids";
import type { Usage } from "#host/cgroup/usage";
import { Sampler } from "#host/metrics/sampler";
import type { Live } from "#host/sandboxes/registry";

/** As much of a live sandbox as a sampler looks at; its runtime below knows it by the handle. */
function sandbox(handle: string): Live {
  const lease = {
    sandboxId: newSandboxId(newHostCode()),
    tenantId: newTenantId(),
    cpu: 2,
    memoryMiB: 512,
    pids: 64,
  };
  return { lease, member: { handle } } as unknown as Live;
}

/** A machine whose sandboxes use half a core each. */
function machine(live: Live[]) {
  let monotonicMs = 1_000;
  const gone = new Set<string>();
  const usage = ({ handle }: { handle: string }): Usage => {
    if (gone.has(handle)) throw new Error("ENOENT");
    return { cpuMicros: monotonicMs * 500, memoryBytes: 9, processes: 2, readBytes: 0, writtenBytes: 0 };
  };
  const sampler = new Sampler({
    registry: { all: () => live },
    runtime: { usage },
    now: () => 0,
    monotonic: () => monotonicMs,
    log: pino({ level: "silent" }),
  });
  const pass = () => {
    monotonicMs += 5_000;
    sampler.tick();
  };
  return { sampler, gone, pass };
}

test("samples are kept per sandbox, with its limits beside them", () => {
  const one = sandbox("one");
  const { sampler, pass } = machine([one]);
  pass();
  pass();
  const metrics = sampler.metricsOf(one);
  expect(metrics).toMatchObject({ cpu: 2, memoryLimitBytes: 512 * 2 ** 20, processesLimit: 64 });
  expect(metrics.history.map(({ cpuPercent }) => cpuPercent)).toEqual([0, 50]);
});

test("one that cannot be measured costs the others nothing", () => {
  const [one, other] = [sandbox("one"), sandbox("other")];
  const { sampler, gone, pass } = machine([one, other]);
  gone.add("one");
  pass();
  expect(sampler.metricsOf(other).history).toHaveLength(1);
  expect(() => sampler.metricsOf(one)).toThrow();
});

test("what has ended is forgotten", () => {
  const one = sandbox("one");
  const live = [one];
  const { sampler, pass } = machine(live);
  pass();
  live.pop();
  pass();
  live.push(one);
  expect(sampler.metricsOf(one).history).toEqual([]);
});
