import { randomBytes } from "node:crypto";
import { summarize, timed } from "../figures/measure.ts";
import type { Outcome } from "../figures/row.ts";
import { growthOf, runtimeOf } from "../machine-facts.ts";
import type { Stage } from "../stage.ts";

const megabytes = 100;

/** One large file each way, a few times, and by how much the programs it passes through grew at their largest. */
export async function bulkCase({ api, fleet, stack, bench }: Stage, entry: string): Promise<Outcome> {
  const { id } = await fleet.create();
  const content = randomBytes(megabytes * 1_000_000);
  const grown = [
    { name: "control plane", mib: growthOf(runtimeOf(stack.controlPlane.pid)) },
    { name: "agent-host", mib: growthOf(stack.agentHost.pid) },
  ];
  const upMs: number[] = [];
  const downMs: number[] = [];
  for (let round = 0; round < bench.scale.bulks; round++) {
    // Next to the new file there is no room for the old one, which stays until the new one is whole.
    await api.exec(id, ["rm", "-f", "bulk.bin"]);
    upMs.push((await timed(() => api.write(id, "bulk.bin", content)))[1]);
    downMs.push((await timed(() => api.readExpecting(id, "bulk.bin", content)))[1]);
  }
  await fleet.delete(id);
  const rowOf = (name: string, tookMs: number[]) => {
    const sample = summarize(tookMs);
    return { name, sample, figure: { value: (megabytes / sample.p50) * 1000, unit: "MB/s" } };
  };
  return {
    rows: [
      rowOf(`write 100 MB, ${entry}`, upMs),
      rowOf(`read 100 MB, ${entry}`, downMs),
      ...grown.map(({ name, mib }) => ({
        name: `${name} grew, ${entry}`,
        figure: { value: mib(), unit: "MiB at most" },
      })),
    ],
  };
}
