import { expect, test } from "vitest";
import { goals, judge, verdictText } from "#test/bench/figures/goals";
import { summarize } from "#test/bench/figures/measure";
import { faster, type Row } from "#test/bench/figures/row";
import { cellsOf, formatTable, markdownTable, short } from "#test/bench/figures/table";

const docker = { name: "docker exec true", sample: summarize([40, 40]) };
const fast = summarize([1, 2]);
const exec: Row = { name: "exec true", sample: fast, against: [faster(docker.name, fast, docker.sample)] };

test("a row shows its samples, its figure, how many came up and how much faster than its baseline it was", () => {
  expect(cellsOf(exec)).toEqual([
    "exec true",
    "2",
    "1.00",
    "2.00",
    "2.00",
    "",
    "docker exec true 40.0x",
    "stretch",
  ]);
  const burst: Row = { name: "x", figure: { value: 1234.5, unit: "ms" }, success: { ok: 99, of: 100 } };
  expect(cellsOf(burst)).toEqual(["x", "", "", "", "", "1235 ms, 99 of 100 came up", "", ""]);
});

test("columns stand under each other: names to the left, numbers to the right", () => {
  const [head = "", first = "", second = ""] = formatTable([exec, docker]).split("\n");
  const rightOf = (line: string, text: string) => line.indexOf(text) + text.length;
  expect(rightOf(first, "1.00")).toBe(rightOf(head, "p50 ms"));
  expect(rightOf(second, "40.0")).toBe(rightOf(head, "p50 ms"));
  expect(first.indexOf("docker exec true")).toBe(head.indexOf("times as fast as"));
  const cells = markdownTable([exec])
    .split("\n")
    .map((line) => line.split("|").length);
  expect(cells).toEqual([10, 10, 10]);
});

test("a number has three digits that mean something", () => {
  expect([0.1234, 1.2345, 12.345, 123.45, 12_345].map(short)).toEqual([
    "0.12",
    "1.23",
    "12.3",
    "123",
    "12345",
  ]);
});

test("a goal is missed, reached or stretched by its own measure", () => {
  const verdicts = (row: Row) => judge(row).map(({ measure, verdict }) => `${measure} ${verdict}`);
  expect(verdicts({ name: "create, warm", sample: summarize([3]) })).toEqual(["p50 reached", "p99 stretch"]);
  expect(verdicts({ name: "create, warm", sample: summarize([6]) })).toEqual(["p50 missed", "p99 stretch"]);
  const rate = (value: number): Row => ({ name: "exec true, 32 connections", figure: { value, unit: "" } });
  expect([900, 1_200, 1_500].flatMap((value) => verdicts(rate(value)))).toEqual([
    "figure missed",
    "figure reached",
    "figure stretch",
  ]);
  expect(verdicts({ name: "50 creates at once", success: { ok: 49, of: 50 } })).toEqual(["success missed"]);
  expect(verdicts(exec)).toContain("against docker exec true stretch");
});

test("a column names what missed, and says nothing where there is no goal", () => {
  const row = { name: "create, warm", sample: summarize([3, 26]) };
  expect(verdictText(judge(row))).toBe("missed: p99");
  expect(verdictText(judge({ name: "create, warm", sample: summarize([3]) }))).toBe("reached");
  expect(verdictText(judge({ name: "delete", sample: summarize([3]) }))).toBe("");
});

test("no goal asks for more at least than as a stretch", () => {
  for (const { atLeast, stretch, isMoreBetter } of goals)
    expect(isMoreBetter ? stretch >= atLeast : stretch <= atLeast).toBe(true);
});
