import type { Row } from "./row.ts";

type Measure = "p50" | "p99" | "mean" | "figure" | "success" | `against ${string}`;
type Goal = { row: string; measure: Measure; atLeast: number; stretch: number; isMoreBetter?: true };
export type Verdict = "stretch" | "reached" | "missed";
export type Judged = Goal & { value: number; verdict: Verdict };

const more = { isMoreBetter: true } as const;

/** What the project wants to reach on 2 cores and 24 GiB, over loopback. Times in ms. */
export const goals: readonly Goal[] = [
  { row: "create, warm", measure: "p50", atLeast: 5, stretch: 2 },
  { row: "create, warm", measure: "p99", atLeast: 25, stretch: 10 },
  { row: "create + first exec", measure: "p50", atLeast: 8, stretch: 4 },
  { row: "interactive, sequential", measure: "p50", atLeast: 40, stretch: 20 },
  { row: "interactive, staggered", measure: "p50", atLeast: 40, stretch: 20 },
  { row: "interactive, burst of 100", measure: "p50", atLeast: 400, stretch: 250 },
  { row: "interactive, burst of 100", measure: "success", atLeast: 1, stretch: 1, ...more },
  { row: "interactive, burst of 100, until the last", measure: "figure", atLeast: 1_000, stretch: 600 },
  { row: "exec true", measure: "p50", atLeast: 3, stretch: 1.5 },
  { row: "exec true", measure: "p99", atLeast: 12, stretch: 5 },
  { row: "exec true", measure: "against docker exec true", atLeast: 10, stretch: 25, ...more },
  { row: "exec true, 32 connections", measure: "figure", atLeast: 1_000, stretch: 1_500, ...more },
  { row: "read 1 KB", measure: "p50", atLeast: 1, stretch: 0.6 },
  { row: "read 1 MB", measure: "p50", atLeast: 6, stretch: 3 },
  { row: "read 1 KB, 16 connections", measure: "figure", atLeast: 5_000, stretch: 10_000, ...more },
  { row: "write 1 KB, 16 connections", measure: "figure", atLeast: 3_000, stretch: 6_000, ...more },
  { row: "50 creates at once", measure: "success", atLeast: 1, stretch: 1, ...more },
  { row: "50 creates at once", measure: "mean", atLeast: 150, stretch: 60 },
  { row: "memory per sandbox, 800 live", measure: "figure", atLeast: 5, stretch: 4.5 },
  { row: "exec true, 800 live", measure: "p99", atLeast: 50, stretch: 50 },
  { row: "GET one sandbox, 20 connections", measure: "p50", atLeast: 1, stretch: 0.5 },
  { row: "GET one sandbox, 20 connections", measure: "p99", atLeast: 8, stretch: 3 },
  {
    row: "authenticated and limited, Node, 50 connections",
    measure: "figure",
    atLeast: 20_000,
    stretch: 30_000,
    ...more,
  },
  { row: "authenticated and limited, Node, 50 connections", measure: "p99", atLeast: 5, stretch: 3 },
  { row: "refused with 401, a made-up key", measure: "p50", atLeast: 0.5, stretch: 0.2 },
  { row: "refused with 429", measure: "p50", atLeast: 0.5, stretch: 0.2 },
  {
    row: "limiter's object asked, workerd, 20 connections",
    measure: "figure",
    atLeast: 3_000,
    stretch: 6_000,
    ...more,
  },
];

/** A row's goals, with what became of each. */
export function judge(row: Row): Judged[] {
  return goals
    .filter((goal) => goal.row === row.name)
    .flatMap((goal) => {
      const value = measured(row, goal.measure);
      return value === undefined ? [] : [{ ...goal, value, verdict: verdictOf(goal, value) }];
    });
}

/** Short, for a column: the worst verdict, and what missed. */
export function verdictText(judged: readonly Judged[]): string {
  const missed = judged.filter(({ verdict }) => verdict === "missed");
  if (missed.length > 0) return `missed: ${missed.map(({ measure }) => measure).join(", ")}`;
  if (judged.length === 0) return "";
  return judged.every(({ verdict }) => verdict === "stretch") ? "stretch" : "reached";
}

function verdictOf(goal: Goal, value: number): Verdict {
  const holds = (bound: number) => (goal.isMoreBetter ? value >= bound : value <= bound);
  if (holds(goal.stretch)) return "stretch";
  return holds(goal.atLeast) ? "reached" : "missed";
}

function measured(row: Row, measure: Measure): number | undefined {
  if (measure === "figure") return row.figure?.value;
  if (measure === "success") return row.success && row.success.ok / row.success.of;
  if (measure === "p50" || measure === "p99" || measure === "mean") return row.sample?.[measure];
  const baseline = measure.slice("against ".length);
  return row.against?.find((each) => each.baseline === baseline)?.ratio;
}
