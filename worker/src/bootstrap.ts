import { chmod, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { scopes } from "#contract/api";
import { HostIdentity } from "#contract/host";
import { secureRandom } from "#contract/ids";
import { readMigrations } from "#migrations/files";
import { migrate } from "#migrations/migrate";
import { authenticate } from "./auth/authenticate.ts";
import { issueKey } from "./auth/issue-key.ts";
import { grantScopes } from "./auth/store.ts";
import { toHex } from "./crypto.ts";
import { guardClient } from "./db/client.ts";
import { openNodeClient } from "./db/node.ts";
import { type Deps, makeDeps } from "./deps.ts";
import { configFrom } from "./env.ts";
import { AppError } from "./errors.ts";
import { registerHost } from "./hosts/register.ts";
import { findHost } from "./hosts/store.ts";
import { readEnvFile, readNodeSettings } from "./node-settings.ts";
import { registerTemplate, type TemplateEntry } from "./templates/register.ts";
import { createTenant } from "./tenants/create.ts";
import { findTenantByName } from "./tenants/store.ts";

export type Bootstrapped = { dataDir: string; url: string; hostFile: string; devEnvFile: string };

const devTenant = { name: "dev", plan: "scale", limits: { concurrentSandboxes: 50 } };
const devKeyName = "npm start";
const secretNames = ["SANDGATE_KEY_SECRET", "SANDGATE_HOST_SECRET", "SANDGATE_ADMIN_KEY"] as const;
const secretBytes = 32;

/**
 * Makes a fresh data folder usable, and keeps everything that an earlier start made: secrets, database, a first
 * tenant with a key, the templates, and the identity of this machine's host.
 * @throws Error with one sentence when the folder or a setting cannot be used
 */
export async function bootstrap(
  environment: NodeJS.ProcessEnv,
  templates: readonly TemplateEntry[],
): Promise<Bootstrapped> {
  const { dataDir } = await readNodeSettings(environment);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await ensureSecrets(join(dataDir, "secrets.env"));
  const { values, databaseUrl } = await readNodeSettings(environment);
  const client = await openNodeClient(databaseUrl, values.SANDGATE_DATABASE_TOKEN);
  try {
    await migrate(guardClient(client), await readMigrations(), Date.now());
    const deps = makeDeps({
      client,
      config: configFrom(values),
      log: () => undefined,
      background: (_name, work) => void work.catch(() => undefined),
    });
    for (const template of templates) await registerTemplate(deps, template);
    const url =
      values.SANDGATE_PUBLIC_URL || `http://${urlHost(values.SANDGATE_BIND)}:${values.SANDGATE_PORT}`;
    const hostFile = join(dataDir, "host", "host.json");
    await ensureHost(deps, hostFile, url);
    const devEnvFile = join(dataDir, "dev.env");
    await ensureDevEnv(deps, devEnvFile, { url, adminKey: values.SANDGATE_ADMIN_KEY });
    return { dataDir, url, hostFile, devEnvFile };
  } finally {
    client.close();
  }
}

/** An address to listen on everywhere is not one to connect to. */
function urlHost(bind: string): string {
  if (bind === "0.0.0.0" || bind === "::" || bind === "") return "127.0.0.1";
  return bind.includes(":") ? `[${bind}]` : bind;
}

async function ensureSecrets(path: string): Promise<void> {
  const known = await readEnvFile(path);
  const missing = secretNames.filter((name) => !known[name]);
  if (missing.length === 0) return chmod(path, 0o600);
  const made = Object.fromEntries(missing.map((name) => [name, toHex(secureRandom(secretBytes))]));
  // What is there stays as it is written: quotes and comments of an operator are not ours to interpret.
  const text = await readFile(path, "utf8").catch(() => "");
  await writePrivate(path, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${envText(made)}`);
}

async function ensureHost(deps: Deps, path: string, controlUrl: string): Promise<void> {
  const known = await readIdentity(path);
  const row = known && (await findHost(deps.db, known.hostId));
  if (known && row && row.removedAtMs === null) {
    // The key follows the secret, which an operator may have replaced.
    const key = toHex(await deps.hostKeys.rawKeyOf(known.hostId));
    return writePrivate(path, jsonText({ ...known, key, controlUrl }));
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writePrivate(path, jsonText(await registerHost(deps, controlUrl)));
}

async function readIdentity(path: string): Promise<HostIdentity | undefined> {
  try {
    return HostIdentity.safeParse(JSON.parse(await readFile(path, "utf8"))).data;
  } catch {
    return undefined;
  }
}

async function ensureDevEnv(deps: Deps, path: string, is: { url: string; adminKey: string }): Promise<void> {
  const known = (await readEnvFile(path)).SANDGATE_API_KEY;
  const key = known && (await isUsable(deps, known)) ? known : await newDevKey(deps);
  const values = {
    SANDGATE_URL: is.url,
    SANDGATE_API_KEY: key,
    SANDGATE_ADMIN_KEY: is.adminKey,
    E2B_API_URL: is.url,
    E2B_SANDBOX_URL: is.url,
    E2B_API_KEY: key,
  };
  await writePrivate(path, envText(values));
}

/** An older version's key has fewer scopes; it gets the new ones, so that it goes on in shells that have it. */
async function isUsable(deps: Deps, key: string): Promise<boolean> {
  const ctx = { requestId: "bootstrap", background: () => undefined, note: () => undefined };
  try {
    const found = await authenticate(deps, ctx, new Headers({ "x-api-key": key }));
    await grantScopes(deps.db, found.tenantId, { keyId: found.id, name: devKeyName, scopes });
    return true;
  } catch (error) {
    if (error instanceof AppError && (error.code === "unauthenticated" || error.code === "forbidden"))
      return false;
    throw error;
  }
}

async function newDevKey(deps: Deps): Promise<string> {
  const tenantId = (await findTenantByName(deps.db, devTenant.name)) ?? (await createTenant(deps, devTenant));
  const { key } = await issueKey(deps, { tenantId, name: devKeyName, scopes });
  return key;
}

const envText = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
const jsonText = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** Readable by the owner only, and never half-written: a new file takes the place of the old one at once. */
async function writePrivate(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
