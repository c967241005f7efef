import { pino } from "pino";
import { expect, test } from "vitest";
import { newHostCode, newSandboxId, newTenantId } from "#contract/ids";
import { Sampler } from "#host/metrics/sampler";
import type { Usage } from "#host/runtime/runtime";
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
    const workspace = { bytes: 95, inodes: handle === "full" ? 10 : 1, limitBytes: 1_000, inodesLimit: 10 };
    const io = { readBytes: 0, writtenBytes: 0 };
    return { cpuMicros: monotonicMs * 500, memoryBytes: 9, processes: 2, ...io, workspace };
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

test("workspaces are counted together, and those that are full by themselves", () => {
  const live = [sandbox("one"), sandbox("full")];
  const { sampler, pass } = machine(live);
  expect(sampler.workspaces()).toMatchObject({ bytes: 0, full: 0 });
  pass();
  const { current, ...of } = sampler.metricsOf(live[1] as Live);
  expect(of).toMatchObject({ workspaceLimitBytes: 1_000, workspaceInodesLimit: 10 });
  expect(current).toMatchObject({ workspaceBytes: 95, workspaceInodes: 10 });
  const both = { bytes: 190, inodes: 11, limitBytes: 2_000, inodesLimit: 20, full: 1 };
  expect(sampler.workspaces()).toEqual(both);
  live.pop();
  pass();
  expect(sampler.workspaces()).toMatchObject({ bytes: 95, full: 0 });
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
