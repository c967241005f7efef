import { repeat } from "../figures/measure.ts";
import { faster, type Outcome } from "../figures/row.ts";
import { underLoad } from "../load/parallel.ts";
import type { Stage } from "../stage.ts";

const connections = 20;

/** Reads of one sandbox's record: the API and its database without a host. */
export async function getCase({ api, fleet, bench }: Stage): Promise<Outcome> {
  const { id } = await fleet.create();
  const request = api.request("GET", `/v1/sandboxes/${id}`);
  const call = async () => {
    const { body } = await api.send(request);
    if ((JSON.parse(body.toString()) as { id: string }).id !== id) throw new Error("Another one's record.");
  };
  await repeat(bench.scale.warmReads, call);
  const ours = await underLoad(connections, bench.scale.loadMs, call);
  const theirs = await underLoad(connections, bench.scale.loadMs, bench.echo);
  await fleet.delete(id);
  const baseline = `bare echo, ${connections} connections`;
  const perSecond = (value: number) => ({ value, unit: "a second" });
  return {
    rows: [
      {
        name: `GET one sandbox, ${connections} connections`,
        sample: ours.sample,
        figure: perSecond(ours.perSecond),
        against: [faster(baseline, ours.sample, theirs.sample)],
      },
      { name: baseline, sample: theirs.sample, figure: perSecond(theirs.perSecond) },
    ],
  };
}
