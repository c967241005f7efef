import { summarize, timed } from "../figures/measure.ts";
import type { Outcome, Row } from "../figures/row.ts";
import { eachOf } from "../load/parallel.ts";
import { poolIsFull, type Stage } from "../stage.ts";

/** Creates at once, against as many `docker run` at once. */
export async function concurrentCase(stage: Stage): Promise<Outcome> {
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const { atOnce, rounds, dockerRounds } of stage.bench.scale.creates) {
    const ours: number[] = [];
    const theirs: number[] = [];
    const failures: string[] = [];
    for (let round = 0; round < Math.max(rounds, dockerRounds); round++) {
      if (round < rounds) await createAtOnce(stage, atOnce, { tookMs: ours, failures });
      if (round < dockerRounds) theirs.push(...(await dockerAtOnce(stage, atOnce)));
    }
    rows.push(...rowsOf(atOnce, ours, theirs, failures.length));
    notes.push(...failures.slice(0, 1));
  }
  return { rows, notes };
}

async function createAtOnce(
  stage: Stage,
  count: number,
  into: { tookMs: number[]; failures: string[] },
): Promise<void> {
  await poolIsFull(stage);
  const one = async () => {
    try {
      into.tookMs.push((await timed(() => stage.fleet.create()))[1]);
    } catch (cause) {
      into.failures.push((cause as Error).message);
    }
  };
  await Promise.all(Array.from({ length: count }, one));
  for (const id of stage.fleet.ids) await stage.fleet.inspect(id);
  await stage.fleet.deleteAll();
}

async function dockerAtOnce(stage: Stage, count: number): Promise<number[]> {
  await poolIsFull(stage);
  const { docker } = stage.bench;
  const began = await Promise.all(Array.from({ length: count }, () => timed(() => docker.run())));
  await eachOf(began, 4, async ([id]) => void (await docker.remove(id)));
  return began.map(([, ms]) => ms);
}

function rowsOf(atOnce: number, ours: number[], theirs: number[], failed: number): Row[] {
  const name = atOnce === 1 ? "1 create" : `${atOnce} creates at once`;
  const success = { ok: ours.length, of: ours.length + failed };
  if (ours.length === 0) return [{ name, success }];
  const sample = summarize(ours);
  const mean = (ms: number) => ({ value: ms, unit: "ms mean" });
  if (theirs.length === 0) return [{ name, sample, success, figure: mean(sample.mean) }];
  const docker = { name: `docker, ${name.replace("create", "run")}`, sample: summarize(theirs) };
  const against = [{ baseline: docker.name, ratio: docker.sample.mean / sample.mean }];
  return [
    { name, sample, success, figure: mean(sample.mean), against },
    { ...docker, figure: mean(docker.sample.mean) },
  ];
}
