import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { summarize, timed } from "../figures/measure.ts";
import type { Outcome, Row, Skipped } from "../figures/row.ts";
import { expectTrue } from "../load/checks.ts";
import { eachOf } from "../load/parallel.ts";
import { cpuTimes, freeDiskMiB, memory, shareOfOneCore } from "../machine-facts.ts";
import { overcommit, type Stage } from "../stage.ts";

const createsAtOnce = 4;
const settleMaxMs = 2_000;
/** Left free for everybody else on the machine. */
const reserveMiB = 2_048;
/** What a sandbox is taken to need before any was seen; twice what was measured on the machine this was written on. */
const guessMiB = 9;
/** What a sandbox that asks for nothing is promised. */
const promised = { memoryMiB: 256, diskMiB: 1_024 };

/** How much hundreds of idle sandboxes take, and whether one of them still answers at once. */
export async function densityCase(stage: Stage): Promise<Outcome> {
  const { scale } = stage.bench;
  const rows: Row[] = [];
  const skipped: Skipped[] = [];
  const before = { ...(await idle(scale.idleMs)), ...memory() };
  let perSandboxMiB = guessMiB;
  for (const count of scale.density) {
    const { availableMiB, totalMiB } = memory();
    const more = count - stage.fleet.ids.length;
    const diskMiB = freeDiskMiB(stage.stack.dataDir);
    const reason = lacks({ count, more, perSandboxMiB, availableMiB, totalMiB, diskMiB });
    if (reason !== undefined) {
      skipped.push({ name: `density ${count}`, reason });
      continue;
    }
    await grow(stage, more);
    await sleep(Math.min(settleMaxMs, scale.idleMs));
    const usedMiB = before.availableMiB - memory().availableMiB;
    // A little more than now, so that noise does not let the next step run the machine out of memory.
    perSandboxMiB = Math.max(2, (usedMiB / count) * 1.3);
    rows.push(...(await rowsAt(stage, count, { usedMiB, idleBefore: before.share })));
  }
  await stage.fleet.deleteAll();
  return { rows, skipped };
}

/** Why so many cannot live here; nothing when they can. */
export function lacks(facts: {
  count: number;
  more: number;
  perSandboxMiB: number;
  availableMiB: number;
  totalMiB: number;
  diskMiB: number;
}): string | undefined {
  const { count, more, perSandboxMiB, availableMiB, totalMiB, diskMiB } = facts;
  const neededMiB = Math.ceil(more * perSandboxMiB + reserveMiB);
  if (neededMiB > availableMiB)
    return `${more} more may take ${neededMiB} MiB with a reserve, and ${Math.floor(availableMiB)} are available`;
  if (count * promised.memoryMiB > totalMiB * overcommit.memory)
    return `the limits of ${count} are more than ${overcommit.memory} times this machine's memory`;
  if (count * promised.diskMiB > diskMiB * overcommit.disk)
    return `the workspaces of ${count} are more than ${overcommit.disk} times the free disk`;
  return undefined;
}

async function grow({ fleet }: Stage, more: number): Promise<void> {
  const items = Array.from({ length: more }, (_, at) => at);
  await eachOf(items, createsAtOnce, async () => {
    const { id } = await fleet.create();
    await fleet.inspect(id);
  });
}

async function rowsAt(
  stage: Stage,
  count: number,
  facts: { usedMiB: number; idleBefore: number },
): Promise<Row[]> {
  const { share } = await idle(stage.bench.scale.idleMs);
  const { api, fleet } = stage;
  const requests = fleet.ids.map((id) => api.execRequest(id, ["true"]));
  const tookMs: number[] = [];
  for (let sent = 0; sent < stage.bench.scale.densityExecs; sent++) {
    const request = requests[randomInt(requests.length)] ?? Buffer.alloc(0);
    const [{ body }, ms] = await timed(() => api.send(request));
    expectTrue(body);
    tookMs.push(ms);
  }
  const live = `${count} live`;
  return [
    {
      name: `memory per sandbox, ${live}`,
      figure: { value: (facts.usedMiB * 1024 * 1024) / 1e6 / count, unit: "MB, everything counted" },
      success: { ok: requests.length, of: count },
    },
    { name: `exec true, ${live}`, sample: summarize(tookMs) },
    {
      name: `idle machine, ${live}`,
      figure: { value: share, unit: "% of one core" },
      note: `${facts.idleBefore.toFixed(0)} % before the first of them`,
    },
  ];
}

/** How busy the machine is while nobody asks for anything. */
async function idle(durationMs: number): Promise<{ share: number }> {
  const before = cpuTimes();
  await sleep(durationMs);
  return { share: shareOfOneCore(before, cpuTimes(), durationMs) };
}
