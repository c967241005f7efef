import type { Environment } from "./figures/environment.ts";
import { type Judged, judge } from "./figures/goals.ts";
import type { Row } from "./figures/row.ts";
import { formatTable } from "./figures/table.ts";
import type { Results } from "./run.ts";
import type { Scale } from "./scale.ts";

/** What `--json` writes and `--docs` reads. */
export type Report = Omit<Results, "rows"> & {
  mode: "quick" | "full";
  environment: Environment;
  seconds: number;
  method: string[];
  rows: (Row & { goals?: Judged[] })[];
};

/** How it was measured, for whoever reads the table alone. */
export function methodOf(scale: Scale): string[] {
  return [
    "Everything runs on one machine, over loopback: no network is in any figure.",
    `Before a stage is measured, ${scale.warmExecs} commands and ${scale.warmCreates} creates (where there is a pool) are sent; before its rows, each path again.`,
    "Ours and the baselines run in blocks in turn; after each block of Docker's a few calls of ours are not measured.",
    "`times as fast as` compares p50 (concurrent creates: means); below 1 the baseline is the faster one.",
    "The generator shares the cores with what it measures, and takes in the log lines of both programs.",
  ];
}

export function reportOf(
  results: Results,
  facts: Pick<Report, "mode" | "environment" | "seconds" | "method">,
): Report {
  const rows = results.rows.map((row) => {
    const goals = judge(row);
    return goals.length > 0 ? { ...row, goals } : row;
  });
  return { ...facts, ...results, rows };
}

/** The report for a terminal. */
export function printed(report: Report): string {
  const environment = Object.entries(report.environment).map(([name, value]) => `${name}: ${value}`);
  return [
    formatTable(report.rows),
    "",
    ...report.skipped.map(({ name, reason }) => `${name} was skipped: ${reason}.`),
    ...report.rows.flatMap(({ name, note }) => (note ? [`${name}: ${note}.`] : [])),
    ...report.notes.map((note) => `It happened: ${note}`),
    ...report.method,
    environment.join("; "),
    `${report.mode}, ${report.seconds} s`,
  ].join("\n");
}
