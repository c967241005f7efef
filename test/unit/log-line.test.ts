import { expect, test } from "vitest";
import { readableLine } from "#contract/log-line";

const request = {
  timeMs: Date.UTC(2026, 0, 31, 12, 0, 0, 5),
  level: "info",
  service: "control-plane",
  event: "request",
  requestId: "req_1",
  route: "exec",
  method: "POST",
  status: 200,
  durationMs: 3,
  tenantId: "ten_1",
};

test("a request is told in one line, in the order in which one looks for it", () => {
  expect(readableLine(JSON.stringify(request))).toBe(
    "12:00:00.005 info  control-plane request POST exec 200 3ms req_1 tenantId=ten_1",
  );
});

test("an error brings its causes, one further in than the other", () => {
  const inner = { name: "TypeError", message: "fetch failed" };
  const cause = { name: "Error", message: "no host", stack: "Error: no host\n    at a.ts:1", cause: inner };
  const lines = readableLine(JSON.stringify({ ...request, level: "error", cause })).split("\n");
  expect(lines.slice(1)).toEqual(["  Error: no host", "    at a.ts:1", "    TypeError: fetch failed"]);
});

test("what is no line of ours stays as it is, and a value cannot forge one", () => {
  expect(readableLine("plain words")).toBe("plain words");
  const forged = readableLine(JSON.stringify({ ...request, note: { text: "a\nerror forged" } }));
  expect(forged.split("\n")).toHaveLength(1);
});
