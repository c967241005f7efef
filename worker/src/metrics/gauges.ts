import { limits } from "#contract/limits";
import { runStates } from "#contract/run";
import { sandboxStates } from "#contract/sandbox";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { type HostRow, listHosts } from "../hosts/store.ts";
import { countRuns, countSandboxes } from "./store.ts";

export type Gauge = {
  name: string;
  help: string;
  values: { labels: Record<string, string>; value: number }[];
};

/** What the whole service holds, read from the database, so that any process can say it. Three reads. */
export async function serviceGauges(deps: { db: Db; now: Clock }): Promise<Gauge[]> {
  const [sandboxCounts, runCounts, hosts] = await Promise.all([
    countSandboxes(deps.db),
    countRuns(deps.db),
    listHosts(deps.db),
  ]);
  const nowMs = deps.now();
  return [
    {
      name: "sandgate_sandboxes",
      help: "Sandboxes that have not ended, by state.",
      values: sandboxStates
        .filter((state) => state !== "ended")
        .map((state) => ({ labels: { state }, value: sandboxCounts.get(state) ?? 0 })),
    },
    {
      name: "sandgate_runs",
      help: "Runs that have not ended, by state.",
      values: runStates
        .filter((state) => runCounts.has(state) || state === "queued" || state === "running")
        .map((state) => ({ labels: { state }, value: runCounts.get(state) ?? 0 })),
    },
    {
      name: "sandgate_host_up",
      help: "Whether a host has been heard lately.",
      values: hosts.map((host) => ({ labels: { host: host.id }, value: isHeard(host, nowMs) ? 1 : 0 })),
    },
    {
      name: "sandgate_host_pool_members",
      help: "Warm sandboxes of each host, by its last heartbeat.",
      values: hosts.flatMap(({ id, pools }) =>
        pools.map(({ template, available }) => ({ labels: { host: id, template }, value: available })),
      ),
    },
  ];
}

const isHeard = ({ heartbeatAtMs }: HostRow, nowMs: number) =>
  heartbeatAtMs !== null && nowMs - heartbeatAtMs < limits.hostSilentMs;

/** The text format of Prometheus, version 0.0.4. */
export function formatGauges(gauges: readonly Gauge[]): string {
  return gauges
    .flatMap(({ name, help, values }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...values.map(({ labels, value }) => `${name}{${formatLabels(labels)}} ${value}`),
      "",
    ])
    .join("\n");
}

function formatLabels(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`)
    .join(",");
}
