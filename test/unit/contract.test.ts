import { expect, test } from "vitest";
import { type ApiRow, api, genericErrors } from "#contract/api";
import { parseEnvFile } from "#contract/envfile";
import { errorCodes } from "#contract/errors";
import { HostCode, hostCodeOf, newHostCode, newSandboxId, SandboxId } from "#contract/ids";
import { resolveSettings, SettingError } from "#contract/settings";
import { poolPresets } from "#contract/settings-pool";
import { withMetadata } from "#worker/middleware/query";

const rows: [string, ApiRow][] = Object.entries(api);

test("every error code belongs to a row, or to all of them", () => {
  const named = new Set([...genericErrors, ...rows.flatMap(([, row]) => row.errors)]);
  expect([...named].sort()).toEqual([...errorCodes].sort());
});

test.each(rows)("the example of %s is what its own row takes", (_name, row) => {
  if (row.body) expect(row.body.safeParse(row.example?.body).error).toBeUndefined();
  if (row.query) expect(row.query.safeParse(withMetadata(row.example?.query ?? {})).error).toBeUndefined();
});

test("a sandbox id begins with its host's code, and what E2B placed has none of ours", () => {
  const code = newHostCode();
  expect(hostCodeOf(newSandboxId(code))).toBe(code);
  expect(hostCodeOf(SandboxId.parse(`e0${"a".repeat(22)}`))).toBeNull();
  expect(HostCode.safeParse("e0ab").success).toBe(false);
});

test("a preset stands behind what is set by itself and before the defaults, and each has values that can be used", () => {
  for (const SANDGATE_POOL_PRESET of Object.keys(poolPresets)) resolveSettings({ SANDGATE_POOL_PRESET });
  const { values, sources } = resolveSettings(
    { SANDGATE_POOL_TARGET: "7" },
    { SANDGATE_POOL_PRESET: "fast", SANDGATE_POOL_MIN: "3" },
  );
  expect([values.SANDGATE_POOL_TARGET, values.SANDGATE_POOL_MIN, values.SANDGATE_POOL_MAX]).toEqual([
    7, 3, 200,
  ]);
  expect(sources).toMatchObject({
    SANDGATE_POOL_TARGET: "environment",
    SANDGATE_POOL_MIN: "file",
    SANDGATE_POOL_MAX: "preset",
    SANDGATE_POOL_STARTS_MAX: "default",
  });
  expect(() => resolveSettings({ SANDGATE_POOL_PRESET: "constructor" })).toThrow("SANDGATE_POOL_PRESET");
});

test("an env file gives its values without quotes and comments", () => {
  const text = "# a comment\nA=1\n export B = 'two words' \r\nC=\"x=y\"\n\nD=\n";
  expect(parseEnvFile(text)).toEqual({ A: "1", B: "two words", C: "x=y", D: "" });
  expect(() => parseEnvFile("A=1\nnot a line\n")).toThrow("Line 2");
});

test("the environment comes before the file, the file before the default, and a bad value is named", () => {
  const { values, sources } = resolveSettings(
    { SANDGATE_PORT: "1" },
    { SANDGATE_PORT: "2", SANDGATE_BIND: "::1" },
  );
  expect([values.SANDGATE_PORT, values.SANDGATE_BIND, values.SANDGATE_SWEEP_SECONDS]).toEqual([1, "::1", 30]);
  expect(sources).toMatchObject({
    SANDGATE_PORT: "environment",
    SANDGATE_BIND: "file",
    SANDGATE_SWEEP_SECONDS: "default",
  });
  expect(() => resolveSettings({ SANDGATE_PORT: "x" })).toThrow(SettingError);
});
