import fc from "fast-check";
import { expect, test } from "vitest";
import { errorCodes } from "#contract/errors";
import { limits } from "#contract/limits";
import { CreateRun, hasRunEnded, runStates, runStatesBefore, runTransitions } from "#contract/run";
import { endReasons } from "#contract/sandbox";
import { anyText } from "#test/support/arbitrary";
import { AppError } from "#worker/errors";
import { endOfError, endOfResult } from "#worker/runs/outcome";

test("a run that has begun is never queued again, and what has ended stays so", () => {
  expect(runStatesBefore("queued")).toEqual(["leased"]);
  expect(runStatesBefore("leased")).toEqual(["queued"]);
  expect(runStatesBefore("running")).toEqual(["leased"]);
  for (const state of runStates) {
    expect(runTransitions[state]).not.toContain(state);
    if (hasRunEnded(state)) expect(runTransitions[state]).toEqual([]);
    else for (const end of ["canceled", "lost"] as const) expect(runTransitions[state]).toContain(end);
  }
});

test("whatever a command did, its run comes to exactly one end that says so, within bounds", () => {
  const output = fc.oneof(
    anyText(50),
    fc.constantFrom("x", "é", "€", "😀").map((char) => char.repeat(limits.runOutputMaxBytes / 2)),
  );
  const result = fc.record({
    exitCode: fc.integer({ min: 0, max: 255 }),
    stdout: output.filter((text) => text.isWellFormed()),
    stderr: output.filter((text) => text.isWellFormed()),
    truncated: fc.record({ stdout: fc.boolean(), stderr: fc.boolean() }),
    durationMs: fc.nat(),
    endReason: fc.constantFrom(...endReasons),
  });
  fc.assert(
    fc.property(result, (of) => {
      const end = endOfResult(of);
      expect(end.state === "succeeded").toBe(of.endReason === "exited" && of.exitCode === 0);
      expect(end.state === "timed_out").toBe(of.endReason === "timeout");
      expect([end.exitCode, end.endReason]).toEqual([of.exitCode, of.endReason]);
      for (const name of ["stdout", "stderr"] as const) {
        const kept = end[name] ?? "";
        expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(limits.runOutputMaxBytes);
        expect(of[name].startsWith(kept)).toBe(true);
        expect(end.truncated?.[name]).toBe(of.truncated[name] || kept !== of[name]);
      }
    }),
    { numRuns: 200, seed: 11 },
  );
});

test("only what was sent and not answered is lost", () => {
  for (const code of errorCodes) {
    const error = new AppError(code, "Something happened.");
    expect(endOfError(error, false).state).toBe("failed");
    const isLost = code === "exec_lost" || code === "host_unreachable";
    expect([code, endOfError(error, true).state]).toEqual([code, isLost ? "lost" : "failed"]);
  }
  expect(endOfError(new Error("/etc/secret"), true)).toMatchObject({
    state: "failed",
    error: { code: "internal", detail: expect.not.stringContaining("secret") },
  });
  const ended = new AppError("sandbox_ended", "It has ended.", { facts: { endReason: "oom" } });
  expect(endOfError(ended, true)).toMatchObject({ state: "failed", endReason: "oom" });
});

test("a body with the largest source, stdin or files that are taken fits into a request", () => {
  const source = "x".repeat(limits.runSourceMaxBytes);
  const contentBase64 = btoa("x".repeat(limits.runFilesMaxBytes));
  const body = { code: { language: "python", source }, files: [{ path: "a", contentBase64 }] };
  expect(CreateRun.safeParse(body).success).toBe(true);
  expect(JSON.stringify(body).length).toBeLessThan(limits.jsonBodyMaxBytes);
});
