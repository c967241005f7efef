import { expect, test } from "vitest";
import { SettingError } from "#contract/settings";
import { StopError, stopSentence } from "#templates/stop";

const failed = (code: string, message: string) => Object.assign(new Error(message), { code });

test("a refusal of ours is its own sentence", () => {
  expect(stopSentence(new StopError("Do this instead."))).toBe("Do this instead.");
  expect(stopSentence(new SettingError("A setting is wrong."))).toBe("A setting is wrong.");
});

test("a trouble of the machine is told, however deep in what was under way it lies", () => {
  const full = failed("SQLITE_FULL", "database or disk is full");
  const migration = new Error("Migration 1 failed.", { cause: new Error("query", { cause: full }) });
  expect(stopSentence(migration)).toBe("The disk is full (database or disk is full).");
  expect(stopSentence(failed("EROFS", "EROFS: read-only"))).toBe(
    "The file system is read-only (EROFS: read-only).",
  );
});

test("a bug gets no sentence: its stack says more", () => {
  expect(stopSentence(new TypeError("x is not a function"))).toBeUndefined();
  expect(stopSentence(failed("ERR_INVALID_ARG_TYPE", "bad"))).toBeUndefined();
  expect(stopSentence("text")).toBeUndefined();
});
