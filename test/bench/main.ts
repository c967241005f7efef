import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { onEdge } from "../../scripts/edge/stack.ts";
import { machine } from "../support/machine.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import { bulkCases } from "./bulk.ts";
import { createCases, execCases, fileCases } from "./cases.ts";
import { PlainDocker } from "./docker.ts";
import { overheadCases } from "./overhead.ts";
import { environmentOf, formatTable, type Row } from "./report.ts";
import { streamLag } from "./streams.ts";

const { values: options } = parseArgs({ options: { quick: { type: "boolean" }, json: { type: "string" } } });
const rounds = options.quick ? 20 : 100;

/** Measures the public API against plain Docker in the same run, on a stack of its own. */
async function main(): Promise<void> {
  const { engine, image } = await machine();
  const docker = new PlainDocker(engine.socketPath, image);
  const stack = await testStack({ SANDGATE_POOL_TARGET: "8", SANDGATE_LOG_LEVEL: "info" });
  const rows: Row[] = [];
  try {
    const bench = { stack, docker, rounds };
    for (const cases of [createCases, execCases, fileCases]) rows.push(...(await cases(bench)));
    rows.push(...(await overheadCases(stack, rounds)), ...(await entryCases(stack, "Node")));
  } finally {
    await docker.close();
    await stack.stop();
  }
  rows.push(...(await edgeCases()));
  const hits = hitRate(await readFile(stack.controlPlane.logPath, "utf8"));
  await stack.dispose();
  const detail = stack.findings.find(({ name }) => name === "engine")?.detail ?? "unknown";
  const environment = environmentOf(detail);
  console.log(formatTable(rows));
  console.log(`\ncreates served from the warm pool: ${hits.pool} of ${hits.pool + hits.cold}`);
  console.log(
    Object.entries(environment)
      .map(([name, value]) => `${name}: ${value}`)
      .join("; "),
  );
  if (options.json)
    await writeFile(options.json, `${JSON.stringify({ environment, hits, rows }, null, 2)}\n`);
}

/** What passes through the control plane without being held: on both entries it must stay quick and small. */
async function entryCases(stack: TestStack, entry: string): Promise<Row[]> {
  const lag = { name: `stream lag, ${entry}`, ...(await streamLag(stack)) };
  return [lag, ...(await bulkCases(stack, entry))];
}

async function edgeCases(): Promise<Row[]> {
  const stack = await testStack({}, undefined, onEdge);
  try {
    return await entryCases(stack, "workerd");
  } finally {
    await stack.dispose();
  }
}

/** The control plane notes with each create where the sandbox came from. */
function hitRate(log: string): { pool: number; cold: number } {
  const count = (source: string) => log.split(`"source":"${source}"`).length - 1;
  return { pool: count("pool"), cold: count("cold") };
}

await main();
