import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EnvFileError, parseEnvFile } from "#contract/envfile";
import { resolveSettings, SettingError, settings } from "#contract/settings";

export type ResolvedSettings = ReturnType<typeof resolveSettings>;
type Environment = Record<string, string | undefined>;

/**
 * Resolves the settings of this machine: environment, then `settings.env` in the data folder, then defaults.
 * @throws SettingError with one sentence that names the bad value or line
 */
export async function loadSettings(environment: Environment): Promise<ResolvedSettings> {
  const path = join(resolveSettings(environment).values.SANDGATE_DATA_DIR, "settings.env");
  return resolveSettings(environment, readSettingsFile(await readOptional(path), path));
}

/** Parses a settings file and refuses names that mean nothing: a typing error must not be a silent default. */
export function readSettingsFile(text: string, path: string): Record<string, string> {
  try {
    const values = parseEnvFile(text);
    const unknown = Object.keys(values).find((name) => !(name in settings));
    if (unknown !== undefined) throw new SettingError(`${path} sets ${unknown}, which is not a setting.`);
    if ("SANDGATE_DATA_DIR" in values) {
      throw new SettingError(`${path} is found through SANDGATE_DATA_DIR and cannot set it.`);
    }
    return values;
  } catch (error) {
    if (error instanceof EnvFileError) throw new SettingError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** One line per setting: its name, its value (secrets masked) and where the value came from. */
export function settingsTable({ values, sources }: ResolvedSettings): string[] {
  const rows = Object.entries(settings).map(([name, row]) => {
    // Both records have exactly the names of the table.
    const key = name as keyof typeof settings;
    const value = String(values[key]);
    const shown = value === "" ? "-" : "secret" in row ? "********" : value;
    return { name, shown, source: sources[key] };
  });
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const valueWidth = Math.max(...rows.map(({ shown }) => shown.length));
  return rows.map(
    ({ name, shown, source }) => `${name.padEnd(nameWidth)}  ${shown.padEnd(valueWidth)}  ${source}`,
  );
}

async function readOptional(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  });
}
