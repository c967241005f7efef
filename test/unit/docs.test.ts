import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type ApiRow, api } from "#contract/api";
import { errorTable } from "#contract/errors";
import { type Setting, settings } from "#contract/settings";
import { poolPresets, poolSettings } from "#contract/settings-pool";

type PoolSetting = keyof typeof poolSettings;

const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

test("the configuration page names every setting with its default and its meaning", () => {
  const page = read("configuration.md");
  for (const [name, row] of Object.entries(settings) as [string, Setting<unknown>][]) {
    const shown = row.fallback === "" ? "" : `\`${row.fallback}\``;
    expect(page).toContain(`| \`${name}\` | ${shown} | ${row.about} |`);
  }
});

test("the page on the pool names every setting of it, and what each preset makes of it", () => {
  const page = read("pool.md");
  const presets = Object.values(poolPresets);
  for (const [name, { fallback }] of Object.entries(poolSettings) as [PoolSetting, Setting<unknown>][]) {
    expect(page).toContain(`\`${name}\``);
    const values = presets.map((preset) => preset[name] ?? fallback);
    const row = `| \`${name}\` | ${values.map((value) => `\`${value}\``).join(" | ")} |`;
    if (new Set(values).size > 1) expect(page).toContain(row);
    else expect(page).not.toContain(`| \`${name}\` |`);
  }
});

test("the API page names every call with its scope and every error with its status", () => {
  const page = read("api.md");
  for (const row of Object.values(api) as ApiRow[]) {
    const scope = row.scope === "operator" ? "operator" : row.scope ? `\`${row.scope}\`` : "open";
    const call = `\`${row.method.toUpperCase()} ${row.path}\``;
    expect(page).toContain(`| ${call} | ${row.summary} | ${scope} | ${row.status} |`);
  }
  for (const [code, { status, title, retryable }] of Object.entries(errorTable)) {
    expect(page).toContain(`| \`${code}\` | ${status} | ${title} | ${retryable ? "yes" : "no"} |`);
  }
});
