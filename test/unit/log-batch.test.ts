import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { batchLines } from "#contract/log-batch";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function batch() {
  const written: string[] = [];
  return { written, ...batchLines((lines) => written.push(lines)) };
}

test("lines are written together, whole, in order and soon", () => {
  const { written, write } = batch();
  write("one\n");
  write("two\n");
  expect(written).toEqual([]);
  vi.advanceTimersByTime(50);
  write("three\n");
  vi.advanceTimersByTime(50);
  expect(written).toEqual(["one\ntwo\n", "three\n"]);
});

test("many lines do not wait, and nothing is written twice or without need", () => {
  const { written, write, flush } = batch();
  const line = `${"x".repeat(1_000)}\n`;
  for (let i = 0; i < 5; i++) write(line);
  expect(written).toEqual([line.repeat(5)]);
  flush();
  vi.advanceTimersByTime(1_000);
  expect(written).toHaveLength(1);
});

test("at the end of a process what is left is written at once", () => {
  const { written, write, flush } = batch();
  write("last words\n");
  flush();
  expect(written).toEqual(["last words\n"]);
});
