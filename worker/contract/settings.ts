import * as z from "zod";
import { limits } from "./limits.ts";
import { decimal, integer, type Setting, setting, text } from "./setting.ts";
import { type PoolPreset, poolPresets, poolSettings } from "./settings-pool.ts";

export type { Setting } from "./setting.ts";

/** Every setting of the control plane and of the agent-host; `npm start` prints this table. */
export const settings = {
  SANDGATE_PORT: setting(integer(1, 65535), "8787", "port of the public API"),
  SANDGATE_BIND: setting(text, "127.0.0.1", "address the public API listens on"),
  SANDGATE_DATA_DIR: setting(text, ".sandgate", "folder of the database, the credentials and the leases"),
  SANDGATE_RUN_DIR: setting(text, "/run/sandgate", "folder of the sockets that sandboxes dial"),
  SANDGATE_DATABASE_URL: setting(text, "", "libSQL database; empty = a file in the data folder"),
  SANDGATE_DATABASE_TOKEN: {
    ...setting(text, "", "token of a libSQL server that asks for one"),
    secret: true,
  },
  SANDGATE_PUBLIC_URL: setting(
    text,
    "",
    "address at which hosts and clients reach the API; empty = the one it listens on",
  ),
  SANDGATE_SANDBOX_DOMAIN: setting(
    z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "must be a host name in lowercase, without a port"),
    "localhost",
    "parent of the host names `<port>-<sandbox>.<domain>` of servers in sandboxes; a domain of their own",
  ),
  SANDGATE_HOST_URL: setting(
    text,
    "",
    "address at which the control plane reaches the agent-host; empty = its loopback port",
  ),
  SANDGATE_HOST_PORT: setting(integer(0, 65535), "0", "loopback port of the agent-host; 0 = a free one"),
  SANDGATE_LOG_LEVEL: setting(
    z.enum(["debug", "info", "warn", "error"]),
    "info",
    "least level that is logged",
  ),
  SANDGATE_KEY_SECRET: {
    ...setting(text, "", "HMAC secret of API key tails; empty = made at first start"),
    secret: true,
  },
  SANDGATE_ADMIN_KEY: {
    ...setting(text, "", "key of the admin API; empty = made at first start"),
    secret: true,
  },
  SANDGATE_HOST_SECRET: {
    ...setting(text, "", "secret that signs requests to the host; empty = made at first start"),
    secret: true,
  },
  SANDGATE_TEMPLATES: setting(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]*(,[a-z0-9][a-z0-9-]*)*$/, "must be names of templates, with commas between")
      .transform((names) => [...new Set(["base", ...names.split(",")])]),
    "base",
    "templates that this machine prepares and serves, with commas between; `base` is always one of them",
  ),
  SANDGATE_DEFAULT_CPU: setting(decimal(0.25, 64), "1", "cores of a sandbox that asks for none"),
  SANDGATE_DEFAULT_MEMORY_MIB: setting(
    integer(128, 1048576),
    "256",
    "memory of a sandbox that asks for none",
  ),
  SANDGATE_DEFAULT_PIDS: setting(
    integer(limits.pidsMin, limits.pidsMax),
    "256",
    "processes and threads of a sandbox that asks for none",
  ),
  SANDGATE_DEFAULT_DISK_MIB: setting(
    integer(limits.diskMinMiB, limits.diskMaxMiB),
    "1024",
    "workspace of a sandbox that asks for none; all in the pool have it",
  ),
  SANDGATE_DEFAULT_IDLE_SECONDS: setting(integer(10, 86400), "300", "quiet time after which a sandbox ends"),
  SANDGATE_DEFAULT_LIFETIME_SECONDS: setting(integer(10, 86400), "900", "age at which a sandbox ends"),
  SANDGATE_PROCESSES: setting(
    integer(1, 1024),
    "1",
    "control planes that serve the same tenants side by side; each lets through its part of every rate",
  ),
  SANDGATE_SWEEP_SECONDS: setting(integer(1, 3600), "30", "interval of the reconciling sweeps"),
  SANDGATE_METER_INTERVAL_SECONDS: setting(
    integer(1, 3600),
    "60",
    "time after which what a sandbox has used is written down",
  ),
  SANDGATE_USAGE_OUTBOX_MIB: setting(
    integer(4, 65536),
    "64",
    "disk for usage that the control plane has not taken yet; beyond it a host takes no more sandboxes",
  ),
  SANDGATE_RETENTION_DAYS: setting(
    integer(2, 3650),
    "7",
    "days after which ended sandboxes and runs are forgotten",
  ),
  SANDGATE_TENANT_GRACE_DAYS: setting(
    integer(0, 365),
    "7",
    "days for which a deleted tenant can be brought back before all of its own is removed",
  ),
  ...poolSettings,
  SANDGATE_MEMORY_OVERCOMMIT: setting(
    decimal(1, 16),
    "1.5",
    "sum of memory limits allowed, as a multiple of RAM",
  ),
  SANDGATE_MEMORY_RESERVE_MIB: setting(
    integer(0, 1048576),
    "512",
    "available memory below which nothing new starts, MiB",
  ),
  SANDGATE_DISK_OVERCOMMIT: setting(
    decimal(1, 64),
    "2",
    "sum of workspace sizes allowed, as a multiple of the disk that there is for them",
  ),
  SANDGATE_WORKSPACES: setting(
    z.enum(["loop", "tmpfs"]),
    "loop",
    "where workspaces are: `loop`, images in the data folder, or `tmpfs`, memory",
  ),
  DOCKER_HOST: setting(text, "", "socket of the Docker engine; empty = the usual one"),
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof settings;
export type SettingSource = "environment" | "file" | "preset" | "default";
export type Resolved = {
  [K in SettingName]: (typeof settings)[K] extends { schema: z.ZodType<infer T, string> } ? T : never;
};
type Origin = Record<string, string | undefined>;

/** A setting has a value that cannot be used; the message names it and what would do. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

/**
 * Resolves every setting: environment before file before the pool's preset before default.
 * @throws SettingError with one sentence that names the first bad value.
 */
export function resolveSettings(environment: Origin, file: Origin = {}) {
  const values: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  // The preset is named by a setting itself; one that does not exist is refused where that row is parsed.
  const { fallback } = settings.SANDGATE_POOL_PRESET;
  const name = environment.SANDGATE_POOL_PRESET || file.SANDGATE_POOL_PRESET || fallback;
  const preset: Origin = Object.hasOwn(poolPresets, name) ? poolPresets[name as PoolPreset] : {};
  for (const [name, row] of Object.entries(settings) as [SettingName, Setting<unknown>][]) {
    const source = environment[name]
      ? "environment"
      : file[name]
        ? "file"
        : preset[name]
          ? "preset"
          : "default";
    const raw = environment[name] || file[name] || preset[name] || row.fallback;
    const parsed = row.schema.safeParse(raw);
    if (!parsed.success) {
      const shown = "secret" in row ? "a secret" : JSON.stringify(raw);
      throw new SettingError(
        `${name} is ${shown} (from ${source}): ${parsed.error.issues[0]?.message ?? "invalid"}.`,
      );
    }
    values[name] = parsed.data;
    sources[name] = source;
  }
  // Every row was parsed by its own schema just above.
  return { values: values as Resolved, sources: sources as Record<SettingName, SettingSource> };
}
