import { summarize, timed } from "../figures/measure.ts";
import { faster, type Outcome } from "../figures/row.ts";
import type { Created } from "../load/client.ts";
import { isSettled, type Stage, sourcesOf } from "../stage.ts";

/** Creates on a host that keeps none warm: a container is started while the caller waits. */
export async function coldCase(stage: Stage): Promise<Outcome> {
  const { fleet, bench } = stage;
  const ours: { created: Created; ms: number }[] = [];
  const dockerMs: number[] = [];
  for (let round = 0; round < bench.scale.colds; round++) {
    const [created, ms] = await timed(() => fleet.create());
    ours.push({ created, ms });
    await fleet.inspect(created.id);
    await fleet.delete(created.id);
    await isSettled(stage);
    const [container, runMs] = await timed(() => bench.docker.run());
    dockerMs.push(runMs);
    await bench.docker.remove(container);
  }
  const sources = await sourcesOf(
    stage,
    ours.map(({ created }) => created),
  );
  // The sandbox that the host looks at on its start is warm, unless the warm-up had it.
  const cold = ours.filter(({ created }) => sources.get(created.requestId) === "cold");
  const sample = summarize(cold.map(({ ms }) => ms));
  const docker = { name: "docker create + start, beside cold", sample: summarize(dockerMs) };
  return {
    rows: [{ name: "create, cold", sample, against: [faster(docker.name, sample, docker.sample)] }, docker],
  };
}
