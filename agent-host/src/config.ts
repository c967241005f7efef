import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as z from "zod";
import { parseEnvFile } from "#contract/envfile";
import { HostIdentity } from "#contract/host";
import { type Resolved, resolveSettings, SettingError } from "#contract/settings";
import { StartupError } from "./errors.ts";

/** One template as `npm start`, or an operator's image builder, has prepared it. */
const PreparedTemplate = z.strictObject({
  name: z.string(),
  digest: z.string(),
  image: z.string(),
  startCommand: z.string().optional(),
  readyCommand: z.string().optional(),
});
const Prepared = z.strictObject({
  sandboxdPath: z.string(),
  templates: z.array(PreparedTemplate).min(1),
});

export type HostConfig = {
  settings: Resolved;
  hostFolder: string;
  identity: HostIdentity;
  prepared: z.infer<typeof Prepared>;
};

/**
 * Everything the host needs to know, read once: settings, `host/host.json` (who it is) and `host/prepared.json`
 * (what it can run). @throws StartupError
 */
export function readConfig(environment: NodeJS.ProcessEnv): HostConfig {
  const dataDir = resolve(environment.SANDGATE_DATA_DIR || ".sandgate");
  try {
    const { values } = resolveSettings(environment, settingsFile(dataDir));
    const hostFolder = join(dataDir, "host");
    return {
      settings: values,
      hostFolder,
      identity: readJson(join(hostFolder, "host.json"), HostIdentity),
      prepared: withDaemon(readJson(join(hostFolder, "prepared.json"), Prepared)),
    };
  } catch (cause) {
    if (cause instanceof SettingError) throw new StartupError(cause.message, { cause });
    throw cause;
  }
}

/** A warm sandbox is made of an image and a daemon: after an upgrade of either it is no longer what we hand out. */
function withDaemon(prepared: z.infer<typeof Prepared>): z.infer<typeof Prepared> {
  const daemon = createHash("sha256").update(readFileSync(prepared.sandboxdPath)).digest("hex").slice(0, 12);
  const templates = prepared.templates.map((each) => ({ ...each, digest: `${each.digest}-${daemon}` }));
  return { ...prepared, templates };
}

function settingsFile(dataDir: string): Record<string, string> {
  try {
    return parseEnvFile(readFileSync(join(dataDir, "settings.env"), "utf8"));
  } catch {
    return {};
  }
}

function readJson<T>(path: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new StartupError(`${path} is missing or damaged; start the host with npm start.`, { cause });
  }
}
