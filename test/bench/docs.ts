import { readFile, writeFile } from "node:fs/promises";
import { isQuiet } from "./figures/environment.ts";
import { leaderboard, seeds } from "./figures/others.ts";
import type { Row } from "./figures/row.ts";
import { markdownTable, short } from "./figures/table.ts";
import type { Report } from "./report.ts";

const page = new URL("../../docs/benchmark.md", import.meta.url);
const begin = "<!-- results: written by `npm run bench -- --docs FILE` -->";
const end = "<!-- end of results -->";

/** Puts a run's results into the docs page, so that no number there was typed. */
export async function writeDocs(report: Report): Promise<void> {
  await writeFile(page, withResults(await readFile(page, "utf8"), resultsOf(report)));
}

/** Replaces what stands between the marks. @throws Error when a page has no marks */
export function withResults(text: string, results: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to < from) throw new Error("The page has no place for results.");
  return `${text.slice(0, from + begin.length)}\n\n${results}\n\n${text.slice(to)}`;
}

/** A run as a chapter of the page. */
export function resultsOf(report: Report): string {
  const { environment: on, rows } = report;
  return [
    doubtsOf(report),
    `Measured on ${on.date} in ${report.seconds} s (${report.mode}) at commit ${on.commit}: ${on.cores} cores of ${on.cpu}, ${on.memoryGiB} GiB, kernel ${on.kernel}, Node ${on.node}, ${on.engine}. ${sentence(on.path)}`,
    rows.length > 0 ? markdownTable(rows) : "There are no figures yet.",
    ...report.skipped.map(({ name, reason }) => `${sentence(`${name} was skipped: ${reason}`)}`),
    "### Beside the public leaderboard",
    leaderboardText(rows),
    "### Beside the seed",
    seedText(rows),
  ]
    .filter(Boolean)
    .join("\n\n");
}

/** What keeps these figures from being the last word. */
function doubtsOf({ mode, environment, rows }: Report): string {
  const doubts = [
    ...(isQuiet(environment) ? [] : [`others were at work on the machine (load ${environment.loadBefore})`]),
    ...(mode === "full" ? [] : ["the run was a quick one"]),
    ...(environment.commit.includes("changed") ? ["the source was being changed"] : []),
    ...(rows.some(({ name }) => name === "exec true") ? [] : ["not all cases were run"]),
  ];
  return doubts.length === 0 ? "" : `**To be measured again:** ${doubts.join("; ")}.`;
}

function leaderboardText(rows: readonly Row[]): string {
  const p50 = (name: string) => seconds(find(rows, name)?.sample?.p50);
  const burst = "interactive, burst of 100";
  const ours = [
    "**Sandgate, over loopback**",
    p50("interactive, sequential"),
    p50("interactive, staggered"),
    p50(burst),
    seconds(find(rows, `${burst}, until the last`)?.figure?.value),
  ];
  const theirs = leaderboard.rows.map((row) => [
    row.provider,
    ...[row.sequential, row.staggered, row.burst, row.burstLast].map((value) => value.toFixed(2)),
  ]);
  const { source, sequentialDate, concurrentDate } = leaderboard;
  return [
    `Medians in seconds from <${source}>, of ${sequentialDate} (sequential) and ${concurrentDate}. It calls services over the internet from a machine of its own, so that way is in its times, and none is in ours: they stand beside each other and make no ratio. Ours has one more command, the probe.`,
    "",
    tableOf(
      ["provider", "sequential", "staggered", "burst of 100", "burst, until the last"],
      [ours, ...theirs],
    ),
  ].join("\n");
}

function seedText(rows: readonly Row[]): string {
  const lines = seeds.map(({ atOnce, seedMs, seedSuccess, dockerMs }) => {
    const ours = find(rows, atOnce === 1 ? "1 create" : `${atOnce} creates at once`);
    return [
      String(atOnce),
      `${seedMs}${seedSuccess}`,
      String(dockerMs),
      ours?.sample ? short(ours.sample.mean) : "",
    ];
  });
  return [
    "The seed is what this project began from. Plain Docker's figures here are of a quiet machine like the one of the goals.",
    "",
    tableOf(["creates at once, mean ms", "seed", "plain Docker", "ours"], lines),
  ].join("\n");
}

const find = (rows: readonly Row[], name: string) => rows.find((row) => row.name === name);
const seconds = (ms: number | undefined) => (ms === undefined ? "" : (ms / 1000).toFixed(3));
const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function tableOf(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"));
  return [head, rule, ...lines].map(line).join("\n");
}
