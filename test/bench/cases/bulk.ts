import { randomBytes } from "node:crypto";
import { timed } from "../figures/measure.ts";
import type { Outcome } from "../figures/row.ts";
import { residentMiB } from "../machine-facts.ts";
import type { Stage } from "../stage.ts";

const megabytes = 100;

/** One large file each way, and how much memory the control plane took for it. */
export async function bulkCase({ api, fleet, stack }: Stage, entry: string): Promise<Outcome> {
  const { id } = await fleet.create();
  const content = randomBytes(megabytes * 1_000_000);
  const beforeMiB = residentMiB(stack.controlPlane.pid);
  const [, upMs] = await timed(() => api.write(id, "bulk.bin", content));
  const [read, downMs] = await timed(() => api.read(id, "bulk.bin"));
  if (!read.equals(content)) throw new Error("A file came back changed.");
  const grownMiB = residentMiB(stack.controlPlane.pid) - beforeMiB;
  await fleet.delete(id);
  const rate = (ms: number) => ({ value: (megabytes / ms) * 1000, unit: "MB/s" });
  return {
    rows: [
      { name: `write 100 MB, ${entry}`, figure: rate(upMs) },
      { name: `read 100 MB, ${entry}`, figure: rate(downMs) },
      { name: `memory for both, ${entry}`, figure: { value: grownMiB, unit: "MiB" } },
    ],
  };
}
