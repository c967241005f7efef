import { summarize } from "../figures/measure.ts";
import type { Outcome } from "../figures/row.ts";
import { streamExec } from "../load/events.ts";
import type { Stage } from "../stage.ts";

/** Prints the time every 20 ms, so that each line says itself how late it is. */
const clock = (lines: number) => `import time
for _ in range(${lines}):
    print(time.time_ns(), flush=True)
    time.sleep(0.02)
`;

/** How late output reaches a reader: sandbox and reader share one machine and so one clock. */
export async function lagCase({ stack, fleet, bench }: Stage, entry: string): Promise<Outcome> {
  const { id } = await fleet.create();
  const lagMs: number[] = [];
  await streamExec(stack, id, ["python3", "-c", clock(bench.scale.streamLines)], ({ name, data }) => {
    if (name !== "stdout") return;
    const nowMs = performance.timeOrigin + performance.now();
    const printed = (JSON.parse(data) as { data: string }).data.trim().split("\n");
    for (const line of printed) lagMs.push(nowMs - Number(BigInt(line) / 1000n) / 1000);
  });
  await fleet.delete(id);
  return { rows: [{ name: `stream lag, ${entry}`, sample: summarize(lagMs) }] };
}
