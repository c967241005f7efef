import { summarize, timed } from "../figures/measure.ts";
import { faster, type Outcome } from "../figures/row.ts";
import { echoToken } from "../load/checks.ts";
import type { Created } from "../load/client.ts";
import { isSettled, poolIsFull, type Stage, sourcesOf } from "../stage.ts";

type Round = { created: Created; createMs: number; firstMs: number; deleteMs: number };
type DockerRound = { runMs: number; execMs: number; removeMs: number };

/** Fewer than the pool keeps beyond its minimum, so that each one is there and none is made in a hurry. */
const perBlock = 7;
const dockerPerBlock = 2;
const settleExecs = 20;

/** Sandboxes out of the pool against `docker run`, in blocks in turn, so that both meet the same machine. */
export async function createCase(stage: Stage): Promise<Outcome> {
  const { fleet, bench } = stage;
  const ours: Round[] = [];
  const theirs: DockerRound[] = [];
  const steady = await fleet.create();
  await bench.docker.remove(await bench.docker.run()); // the first one after a pause is slower
  for (let block = 0; block < bench.scale.createBlocks; block++) {
    await poolIsFull(stage);
    await settle(stage, steady.id);
    ours.push(...(await ourBlock(stage)));
    await isSettled(stage);
    await poolIsFull(stage);
    for (let i = 0; i < dockerPerBlock; i++) theirs.push(await dockerRound(stage));
  }
  await fleet.delete(steady.id);
  const sources = await sourcesOf(
    stage,
    ours.map(({ created }) => created),
  );
  const warm = ours.filter(({ created }) => sources.get(created.requestId) === "pool");
  return rowsOf({ warm, all: ours.length, theirs });
}

/** After Docker has had the machine, caches and the engine are its own for a moment. */
async function settle({ api, fleet }: Stage, steadyId: string): Promise<void> {
  for (let i = 0; i < settleExecs; i++) await echoToken(api, steadyId);
  await fleet.delete((await fleet.create()).id);
}

/** All are created first and deleted at the end: what a delete starts on the engine is not a create's to pay for. */
async function ourBlock({ api, fleet }: Stage): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let i = 0; i < perBlock; i++) {
    const [created, createMs] = await timed(() => fleet.create());
    const [, execMs] = await timed(() => echoToken(api, created.id));
    rounds.push({ created, createMs, firstMs: createMs + execMs, deleteMs: 0 });
  }
  for (const { created } of rounds) await fleet.inspect(created.id);
  for (const round of rounds) [, round.deleteMs] = await timed(() => fleet.delete(round.created.id));
  return rounds;
}

async function dockerRound({ bench: { docker } }: Stage): Promise<DockerRound> {
  const [id, runMs] = await timed(() => docker.run());
  const [, execMs] = await timed(() => docker.exec(id, ["echo", "token"]));
  const [, removeMs] = await timed(() => docker.remove(id));
  return { runMs, execMs, removeMs };
}

function rowsOf({ warm, all, theirs }: { warm: Round[]; all: number; theirs: DockerRound[] }): Outcome {
  const run = { name: "docker create + start", sample: summarize(theirs.map(({ runMs }) => runMs)) };
  const both = {
    name: "docker create + start + exec",
    sample: summarize(theirs.map(({ runMs, execMs }) => runMs + execMs)),
  };
  const remove = { name: "docker rm -f", sample: summarize(theirs.map(({ removeMs }) => removeMs)) };
  const create = summarize(warm.map(({ createMs }) => createMs));
  const first = summarize(warm.map(({ firstMs }) => firstMs));
  const deleted = summarize(warm.map(({ deleteMs }) => deleteMs));
  return {
    rows: [
      {
        name: "create, warm",
        sample: create,
        figure: { value: (warm.length / all) * 100, unit: "% from the pool" },
        against: [faster(run.name, create, run.sample)],
      },
      { name: "create + first exec", sample: first, against: [faster(both.name, first, both.sample)] },
      { name: "delete", sample: deleted, against: [faster(remove.name, deleted, remove.sample)] },
      run,
      both,
      remove,
    ],
  };
}
