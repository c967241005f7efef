import { judge, verdictText } from "./goals.ts";
import type { Against, Row } from "./row.ts";

export const columns = [
  "case",
  "n",
  "p50 ms",
  "p95 ms",
  "p99 ms",
  "figure",
  "times as fast as",
  "goal",
] as const;

/** A row as the texts of its columns. */
export function cellsOf(row: Row): string[] {
  const { sample } = row;
  const ms = (value: number | undefined) => (value === undefined ? "" : short(value));
  return [
    row.name,
    sample ? String(sample.n) : "",
    ms(sample?.p50),
    ms(sample?.p95),
    ms(sample?.p99),
    [figureText(row), successText(row)].filter(Boolean).join(", "),
    (row.against ?? []).map(againstText).join(", "),
    verdictText(judge(row)),
  ];
}

/** The table for a terminal. */
export function formatTable(rows: readonly Row[]): string {
  const lines = [[...columns], ...rows.map(cellsOf)];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const isText = (at: number) => at === 0 || at >= 5;
  return lines
    .map((line) =>
      line
        .map((cell, at) => (isText(at) ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The same for a page. */
export function markdownTable(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, at) => (at >= 1 && at <= 4 ? "---:" : "---"));
  return [line(columns), line(rule), ...rows.map((row) => line(cellsOf(row)))].join("\n");
}

/** Three digits that mean something, no more. */
export function short(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function figureText({ figure }: Row): string {
  return figure ? `${short(figure.value)} ${figure.unit}` : "";
}

function successText({ success }: Row): string {
  return success ? `${success.ok} of ${success.of} came up` : "";
}

function againstText({ baseline, ratio }: Against): string {
  return `${baseline} ${short(ratio)}x`;
}
