import { startRawSandboxd } from "../baselines/sandboxd.ts";
import { blockPlan, runBlocks } from "../figures/blocks.ts";
import { repeat, summarize } from "../figures/measure.ts";
import { faster, type Outcome, type Row } from "../figures/row.ts";
import { expectTrue } from "../load/checks.ts";
import { underLoad } from "../load/parallel.ts";
import type { Stage } from "../stage.ts";
import { whileRefilling } from "./refill.ts";

const connections = [1, 8, 32];

/** `true` in a sandbox, against the same in plain Docker, over the daemon's own socket, and against a bare echo. */
export async function execCase(stage: Stage): Promise<Outcome> {
  const { api, fleet, bench } = stage;
  const { id } = await fleet.create();
  await fleet.inspect(id);
  const request = api.execRequest(id, ["true"]);
  const call = async () => expectTrue((await api.send(request)).body);
  const rows = [...(await latency(stage, call)), ...(await rates(stage, call)), ...(await echoRates(bench))];
  await fleet.delete(id);
  return { rows };
}

async function latency({ bench }: Stage, call: () => Promise<void>): Promise<Row[]> {
  const { docker, echo, scale } = bench;
  const raw = await startRawSandboxd(bench.cleanups);
  const container = await docker.run();
  const work = {
    api: call,
    docker: () => docker.exec(container, ["true"]),
    sandboxd: () => raw.exec(["true"]),
    echo,
  };
  await repeat(scale.warmExecs, work.sandboxd);
  await repeat(scale.warmExecs, work.echo);
  await repeat(2, work.docker);
  await repeat(scale.warmExecs, work.api);
  const plan = blockPlan(scale.execBlocks, [
    { name: "api", times: 25, settle: 5 },
    { name: "sandboxd", times: 25, settle: 2 },
    { name: "echo", times: 25, settle: 2 },
    { name: "docker", times: 3 },
  ]);
  const took = await runBlocks(plan, work);
  await docker.remove(container);
  const sample = summarize(took.api);
  const baselines = [
    { name: "docker exec true", sample: summarize(took.docker) },
    { name: "sandboxd alone", sample: summarize(took.sandboxd) },
    { name: "bare echo", sample: summarize(took.echo) },
  ];
  const against = baselines.map((each) => faster(each.name, sample, each.sample));
  return [{ name: "exec true", sample, against }, ...baselines];
}

/** Calls per second with the machine to themselves, and while the pool is being refilled. */
async function rates(stage: Stage, call: () => Promise<void>): Promise<Row[]> {
  const { loadMs } = stage.bench.scale;
  const rows: Row[] = [];
  for (const loops of connections) {
    const name = `exec true, ${loops} connection${loops === 1 ? "" : "s"}`;
    const alone = await underLoad(loops, loadMs, call);
    const { result, made } = await whileRefilling(stage, () => underLoad(loops, loadMs, call));
    rows.push(
      { name, sample: alone.sample, figure: { value: alone.perSecond, unit: "a second" } },
      {
        name: `${name}, refilling`,
        sample: result.sample,
        figure: { value: result.perSecond, unit: "a second" },
        note: `sandboxes handed out and replaced meanwhile: ${made}`,
      },
    );
  }
  return rows;
}

/** What the generator could do at most, and what a call costs it: the service cannot be measured beyond that. */
async function echoRates({ echo, scale }: Stage["bench"]): Promise<Row[]> {
  const { perSecond, sample, cpuMsPerCall } = await underLoad(32, scale.loadMs, echo);
  return [
    { name: "bare echo, 32 connections", sample, figure: { value: perSecond, unit: "a second" } },
    { name: "the generator's own time per call", figure: { value: cpuMsPerCall, unit: "ms of a core" } },
  ];
}
