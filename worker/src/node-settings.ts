import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseEnvFile } from "#contract/envfile";
import { resolveSettings } from "#contract/settings";

export type NodeSettings = ReturnType<typeof resolveSettings> & { dataDir: string; databaseUrl: string };

/**
 * Settings of a Node process: its environment, before the files of its data folder, before the defaults.
 * @throws SettingError with one sentence
 */
export async function readNodeSettings(environment: NodeJS.ProcessEnv): Promise<NodeSettings> {
  const dataDir = resolve(resolveSettings(environment).values.SANDGATE_DATA_DIR);
  const file = {
    ...(await readEnvFile(join(dataDir, "settings.env"))),
    ...(await readEnvFile(join(dataDir, "secrets.env"))),
  };
  const { values, sources } = resolveSettings(environment, file);
  const databaseUrl = values.SANDGATE_DATABASE_URL || `file:${join(dataDir, "sandgate.db")}`;
  return { values, sources, dataDir, databaseUrl };
}

/** The values of a file, none when it does not exist. */
export async function readEnvFile(path: string): Promise<Record<string, string>> {
  try {
    return parseEnvFile(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}
