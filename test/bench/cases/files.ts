import { randomBytes } from "node:crypto";
import { blockPlan, runBlocks } from "../figures/blocks.ts";
import { repeat, summarize } from "../figures/measure.ts";
import type { Outcome, Row } from "../figures/row.ts";
import { underLoad } from "../load/parallel.ts";
import type { Stage } from "../stage.ts";

const kib = 1024;
const mib = 1024 * kib;

/** Files of two sizes, each way: how long one takes, and how many a second from several connections. */
export async function filesCase(stage: Stage): Promise<Outcome> {
  const { api, fleet, bench } = stage;
  const { id } = await fleet.create();
  const [small, large] = [randomBytes(kib), randomBytes(mib)];
  const put = (content: Buffer, path: string) => api.write(id, path, content);
  const get = async (content: Buffer, path: string) => {
    if (!(await api.read(id, path)).equals(content)) throw new Error("A file came back changed.");
  };
  const work = {
    writeSmall: () => put(small, "small"),
    readSmall: () => get(small, "small"),
    writeLarge: () => put(large, "large"),
    readLarge: () => get(large, "large"),
  };
  await repeat(bench.scale.warmReads, work.writeSmall);
  await repeat(bench.scale.warmReads, work.readSmall);
  await repeat(bench.scale.warmReads / 10, work.writeLarge);
  await repeat(bench.scale.warmReads / 10, work.readLarge);
  const plan = blockPlan(bench.scale.fileBlocks, [
    { name: "writeSmall", times: 25, settle: 2 },
    { name: "readSmall", times: 25, settle: 2 },
    { name: "writeLarge", times: 5, settle: 1 },
    { name: "readLarge", times: 5, settle: 1 },
  ]);
  const took = await runBlocks(plan, work);
  const rows: Row[] = [
    { name: "write 1 KB", sample: summarize(took.writeSmall) },
    { name: "read 1 KB", sample: summarize(took.readSmall) },
    { name: "write 1 MB", sample: summarize(took.writeLarge) },
    { name: "read 1 MB", sample: summarize(took.readLarge) },
  ];
  // Each write has a file of its own: two into one would measure who comes last.
  let next = 0;
  const rate = async (name: string, loops: number, call: () => Promise<void>, unit: number, per: string) => {
    const { sample, perSecond } = await underLoad(loops, bench.scale.loadMs, call);
    rows.push({ name, sample, figure: { value: perSecond * unit, unit: per } });
  };
  await rate("write 1 KB, 16 connections", 16, () => put(small, `small-${next++ % 64}`), 1, "a second");
  await rate("read 1 KB, 16 connections", 16, work.readSmall, 1, "a second");
  await rate("write 1 MB, 4 connections", 4, () => put(large, `large-${next++ % 8}`), mib / 1e6, "MB/s");
  await rate("read 1 MB, 4 connections", 4, work.readLarge, mib / 1e6, "MB/s");
  await fleet.delete(id);
  return { rows };
}
