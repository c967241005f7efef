import { newTenantId } from "#contract/ids";
import type { RateClass } from "#contract/rate";
import type { Draw } from "#worker/ratelimit/limiter";
import { type Asked, type LimiterObjects, limiterObjects, type Told } from "../../support/limiter-objects.ts";
import type { Targets } from "../baselines/api-process.ts";
import { startProgram } from "../baselines/program.ts";
import { repeat, summarize, timed } from "../figures/measure.ts";
import type { Outcome, Row } from "../figures/row.ts";
import { BenchClient } from "../load/client.ts";
import { Connection } from "../load/connection.ts";
import { underLoad } from "../load/parallel.ts";
import type { Scale } from "../scale.ts";
import type { Bench, Stage } from "../stage.ts";

const connections = 50;
const edgeConnections = 20;
const madeUpKey = `e2b_${"0".repeat(40)}`;

/** What authentication and limits cost by themselves: in one process of Node, and in workerd with the limiter's object. */
export async function limitsCase({ bench }: Stage): Promise<Outcome> {
  const rows = [...(await nodeRows(bench)), ...(await edgeRows(bench))];
  return { rows };
}

async function nodeRows({ cleanups, scale }: Bench): Promise<Row[]> {
  const entry = "test/bench/baselines/api-process.ts";
  const url = new URL(await startProgram(cleanups, "The API without a host", entry));
  const targets = JSON.parse(decodeURIComponent(url.hash.slice(1))) as Targets;
  const client = new BenchClient(url.origin, targets.key);
  cleanups.add(async () => client.close());
  const path = `/v1/sandboxes/${targets.sandboxId}/processes`;
  const request = client.request("GET", path);
  const call = async () => {
    const { body } = await client.send(request);
    if (body.toString() !== '{"items":[]}') throw new Error("Another answer than it was to be.");
  };
  await repeat(scale.warmExecs, call);
  await underLoad(connections, scale.loadMs, call);
  const { sample, perSecond } = await underLoad(connections, scale.loadMs, call);
  return [
    {
      name: `authenticated and limited, Node, ${connections} connections`,
      sample,
      figure: { value: perSecond, unit: "a second" },
    },
    await refusedRow(
      "refused with 401, a made-up key",
      scale,
      { url: url.origin, path, key: madeUpKey },
      401,
    ),
    await refusedRow("refused with 429", scale, { url: url.origin, path, key: targets.exhaustedKey }, 429),
  ];
}

/** One after the other on one connection: server, kernel and client are all in it. */
async function refusedRow(
  name: string,
  scale: Scale,
  to: { url: string; path: string; key: string },
  status: number,
): Promise<Row> {
  const connection = await Connection.open(to.url);
  const request = new BenchClient(to.url, to.key).request("GET", to.path);
  const call = async () => (await connection.send([request])).status;
  // The first draws the only token.
  await repeat(scale.warmReads, call);
  const tookMs: number[] = [];
  for (let i = 0; i < scale.warmExecs; i++) {
    const [answered, ms] = await timed(call);
    if (answered !== status) throw new Error(`${name} answered ${answered}.`);
    tookMs.push(ms);
  }
  connection.close();
  return { name, sample: summarize(tookMs) };
}

async function edgeRows({ cleanups, scale }: Bench): Promise<Row[]> {
  let starting: Promise<LimiterObjects> | undefined;
  cleanups.add(async () => (await starting?.catch(() => undefined))?.stop());
  starting = limiterObjects();
  const { isolates } = await starting;
  const url = String(isolates[0]?.url);
  const client = new BenchClient(url, "none");
  cleanups.add(async () => client.close());
  const rows: Row[] = [];
  for (const [rateClass, name] of [
    ["control", "limiter's object asked"],
    ["data", "data paid from a slice"],
  ] as const) {
    let hops = 0;
    const asked = client.request(
      "POST",
      "/",
      Buffer.from(JSON.stringify(askedOf(rateClass))),
      "application/json",
    );
    const call = async () => {
      const told = JSON.parse((await client.send(asked)).body.toString()) as Told;
      if (told.verdicts[0]?.isAllowed !== true) throw new Error("The limiter refused.");
      hops += told.hops;
    };
    await repeat(scale.warmReads, call);
    await underLoad(edgeConnections, scale.loadMs, call);
    hops = 0;
    const { sample, perSecond } = await underLoad(edgeConnections, scale.loadMs, call);
    rows.push({
      name: `${name}, workerd, ${edgeConnections} connections`,
      sample,
      figure: { value: perSecond, unit: "a second" },
      ...(rateClass === "data" && { note: `${hops} calls of the object for ${sample.n} decisions` }),
    });
  }
  return rows;
}

function askedOf(rateClass: RateClass): Asked {
  const rate = { capacity: 1_000_000, perSecond: 1_000_000 };
  const draw: Draw = { tenantId: newTenantId(), rateClass, rate, key: null, cost: 1, paid: 0 };
  return { draws: [draw], atOnce: true };
}
