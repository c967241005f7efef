import { setTimeout as sleep } from "node:timers/promises";
import { summarize, timed } from "../figures/measure.ts";
import { faster, type Outcome, type Row } from "../figures/row.ts";
import { echoToken, expectExit } from "../load/checks.ts";
import { poolIsFull, type Stage } from "../stage.ts";

/** What became of many that were begun together: how long each took, and why some did not come up. */
type Began = { ids: string[]; tookMs: number[]; failures: string[]; wallMs: number };

const staggerMs = 200;
/** Sequential ones between two of Docker's. */
const perDocker = 10;

/**
 * Time to interactive as the public leaderboard measures it: from the create until a probe and `node -v` have answered.
 * One after the other, one every 200 ms, and all at once.
 */
export async function interactiveCase(stage: Stage): Promise<Outcome> {
  const { scale } = stage.bench;
  const { rows, dockerRow } = await sequential(stage, scale.interactive);
  await poolIsFull(stage);
  const staggered = await begin(stage, scale.interactive, staggerMs);
  await poolIsFull(stage);
  const burst = await begin(stage, scale.crowd, 0);
  const name = `interactive, burst of ${scale.crowd}`;
  return {
    rows: [
      ...rows,
      rowOf("interactive, staggered", staggered),
      rowOf(name, burst),
      { name: `${name}, until the last`, figure: { value: burst.wallMs, unit: "ms" } },
      dockerRow,
    ],
    notes: [...staggered.failures, ...burst.failures].slice(0, 3),
  };
}

async function sequential(stage: Stage, count: number) {
  const tookMs: number[] = [];
  const dockerMs: number[] = [];
  for (let round = 0; round < count; round++) {
    if (round % perDocker === 0) {
      dockerMs.push(await dockerInteractive(stage));
      await stage.fleet.delete(await interactive(stage)); // unmeasured: Docker has had the machine
    }
    const [id, ms] = await timed(() => interactive(stage));
    tookMs.push(ms);
    await stage.fleet.inspect(id);
    await stage.fleet.delete(id);
  }
  const dockerRow = { name: "docker, interactive", sample: summarize(dockerMs) };
  const sample = summarize(tookMs);
  const against = [faster(dockerRow.name, sample, dockerRow.sample)];
  const success = { ok: count, of: count };
  return { rows: [{ name: "interactive, sequential", sample, success, against }], dockerRow };
}

/** @returns the sandbox, which now answers */
async function interactive({ api, fleet }: Stage): Promise<string> {
  const { id } = await fleet.create();
  await echoToken(api, id);
  const version = await api.exec(id, ["node", "-v"]);
  expectExit(0, version);
  if (!/^v\d+\.\d+\.\d+\n$/.test(version.stdout)) throw new Error("`node -v` printed no version.");
  return id;
}

async function dockerInteractive({ bench: { docker } }: Stage): Promise<number> {
  let id = "";
  const [, ms] = await timed(async () => {
    id = await docker.run();
    await docker.exec(id, ["echo", "token"]);
    await docker.exec(id, ["node", "-v"]);
  });
  await docker.remove(id);
  return ms;
}

/** Begins `count` of them, `gapMs` apart, and ends them when all have answered and were looked into. */
async function begin(stage: Stage, count: number, gapMs: number): Promise<Began> {
  const began: Began = { ids: [], tookMs: [], failures: [], wallMs: 0 };
  const one = async (at: number) => {
    if (gapMs > 0) await sleep(at * gapMs);
    try {
      const [id, ms] = await timed(() => interactive(stage));
      began.tookMs.push(ms);
      began.ids.push(id);
    } catch (cause) {
      began.failures.push((cause as Error).message);
    }
  };
  const [, wallMs] = await timed(() => Promise.all(Array.from({ length: count }, (_, at) => one(at))));
  for (const id of began.ids) await stage.fleet.inspect(id);
  await stage.fleet.deleteAll();
  return { ...began, wallMs };
}

function rowOf(name: string, { tookMs, failures }: Began): Row {
  const success = { ok: tookMs.length, of: tookMs.length + failures.length };
  return tookMs.length === 0 ? { name, success } : { name, sample: summarize(tookMs), success };
}
