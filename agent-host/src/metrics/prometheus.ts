import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry as Metrics } from "prom-client";
import type { PoolHealth } from "#contract/host";
import type { WorkspaceUsage } from "../workspaces/usage.ts";

export type HostFacts = {
  pools: () => PoolHealth[];
  /** Sandboxes handed out. */
  allocated: () => number;
  freeMemoryMiB: () => number;
  /** What was metered and not taken yet. */
  usage: () => { events: number; bytes: number; ageSeconds: number };
  workspaces: () => WorkspaceUsage & { full: number };
};

/** A command takes about a millisecond, a cold start two hundred of them. */
const secondsBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

export type HostMetrics = ReturnType<typeof createHostMetrics>;

/** What this host counts, for Prometheus. No label names a tenant or a sandbox: those would grow without a bound. */
export function createHostMetrics(facts: HostFacts) {
  const registry = new Metrics();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  gaugesOf(facts, registers);
  const requests = new Histogram({
    name: "http_request_duration_seconds",
    help: "Requests of the control plane, until the answer begins.",
    labelNames: ["route", "method", "status"],
    buckets: secondsBuckets,
    registers,
  });
  const leases = new Histogram({
    name: "sandgate_lease_duration_seconds",
    help: "Time to hand out a sandbox, by where it came from.",
    labelNames: ["source"],
    buckets: secondsBuckets,
    registers,
  });
  const execs = new Histogram({
    name: "sandgate_exec_duration_seconds",
    help: "Commands that have ended, by how.",
    labelNames: ["end_reason"],
    buckets: secondsBuckets,
    registers,
  });
  const ends = new Counter({
    name: "sandgate_sandbox_ends_total",
    help: "Sandboxes that have ended, by why.",
    labelNames: ["end_reason"],
    registers,
  });
  return { registry, requests, leases, execs, ends };
}

/** Read when somebody asks, so that they cost nothing in between. */
function gaugesOf(
  { pools, allocated, freeMemoryMiB, workspaces, usage }: HostFacts,
  registers: Metrics[],
): void {
  new Gauge({
    name: "sandgate_pool_members",
    help: "Warm sandboxes by template and state.",
    labelNames: ["template", "state"],
    registers,
    collect() {
      this.reset();
      for (const { template, available, parked, starting } of pools()) {
        this.set({ template, state: "available" }, available - parked);
        this.set({ template, state: "parked" }, parked);
        this.set({ template, state: "starting" }, starting);
      }
    },
  });
  const perTemplate = (name: string, help: string, read: (pool: PoolHealth) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ["template"],
      registers,
      collect() {
        for (const pool of pools()) this.set({ template: pool.template }, read(pool));
      },
    });
  perTemplate("sandgate_pool_target", "Warm sandboxes that the refill aims at.", ({ target }) => target);
  perTemplate("sandgate_pool_waiting", "Creates that wait in line for a sandbox.", ({ waiting }) => waiting);
  perTemplate("sandgate_sandboxes_max", "Sandboxes that there may be, warm ones included.", ({ max }) => max);
  const simple = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  simple("sandgate_sandboxes", "Sandboxes that are handed out.", allocated);
  const ofWorkspaces = (name: string, help: string, field: keyof ReturnType<typeof workspaces>) =>
    simple(name, help, () => workspaces()[field]);
  ofWorkspaces("sandgate_workspace_used_bytes", "What all workspaces hold.", "bytes");
  ofWorkspaces("sandgate_workspace_limit_bytes", "What all workspaces may hold.", "limitBytes");
  ofWorkspaces("sandgate_workspace_used_inodes", "Files and folders in all workspaces.", "inodes");
  ofWorkspaces("sandgate_workspace_limit_inodes", "Files and folders that all may hold.", "inodesLimit");
  ofWorkspaces("sandgate_workspaces_full", "Workspaces that are 95 % full, in bytes or in files.", "full");
  simple("sandgate_free_memory_bytes", "Memory that may still be promised.", () => freeMemoryMiB() * 2 ** 20);
  simple(
    "sandgate_usage_outbox_events",
    "Intervals that were metered and not taken yet.",
    () => usage().events,
  );
  simple("sandgate_usage_outbox_bytes", "Disk that the usage outbox takes.", () => usage().bytes);
  const ageHelp = "Time since the end of the oldest interval that was not taken yet; 0 when there is none.";
  simple("sandgate_usage_outbox_age_seconds", ageHelp, () => usage().ageSeconds);
}
