import { type Case, catalogue, type StageName, stages } from "./catalogue.ts";
import { timed } from "./figures/measure.ts";
import type { Outcome, Row, Skipped } from "./figures/row.ts";
import { type Bench, openStage } from "./stage.ts";
import { warmUp } from "./warm-up.ts";

export type Results = { rows: Row[]; skipped: Skipped[]; notes: string[] };

/** Runs cases stage by stage; each stage has left nothing behind when the next one begins. */
export async function runCases(
  bench: Bench,
  names: readonly string[],
  report: (line: string) => void,
): Promise<Results> {
  const results: Results = { rows: [], skipped: [], notes: [] };
  const wanted = catalogue.filter(({ name }) => names.includes(name));
  for (const name of new Set(wanted.map(({ stage }) => stage))) {
    const cases = wanted.filter(({ stage }) => stage === name);
    await runStage(bench, name, { cases, results, report });
  }
  return results;
}

async function runStage(
  bench: Bench,
  name: StageName,
  { cases, results, report }: { cases: Case[]; results: Results; report: (line: string) => void },
): Promise<void> {
  const { entry, pool } = stages[name];
  const size = pool(bench.scale);
  // What a stage makes is undone before the next one; what all of them share stays until the end.
  const own: Bench = { ...bench, cleanups: bench.cleanups.inside() };
  try {
    report(`stage ${name}: a stack with a pool of ${size.target}`);
    const stage = await openStage(own, size, entry);
    if (size.target >= 50) results.rows.push(fillRow(size.target, stage.fillMs));
    await warmUp(stage);
    for (const { name: caseName, run } of cases) {
      const [outcome, ms] = await timed(() => run(stage));
      report(`  ${caseName}: ${(ms / 1000).toFixed(1)} s`);
      add(results, outcome);
    }
  } finally {
    await own.cleanups.run();
  }
}

function fillRow(target: number, fillMs: number): Row {
  return { name: `start until ${target} are warm`, figure: { value: fillMs / 1000, unit: "s" } };
}

function add(results: Results, { rows, skipped = [], notes = [] }: Outcome): void {
  results.rows.push(...rows);
  results.skipped.push(...skipped);
  results.notes.push(...notes);
}
