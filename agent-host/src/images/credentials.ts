import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod";

const Entry = z.object({ auth: z.string().optional(), identitytoken: z.string().optional() });
const DockerConfig = z.object({
  auths: z.record(z.string(), Entry).optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});
const Helped = z.object({ Username: z.string(), Secret: z.string() });

type Auth =
  | { username: string; password: string; serveraddress: string }
  | { identitytoken: string; serveraddress: string };

const helperDeadlineMs = 10_000;

/**
 * The `X-Registry-Auth` header for a registry, from what `docker login` has left on this machine: entries of its
 * `config.json`, or the helper program that it names. `undefined` = nobody has logged in there.
 * @throws Error when a helper fails; what it printed is not in it
 */
export async function registryAuth(
  registry: string,
  configFolder = process.env.DOCKER_CONFIG || join(homedir(), ".docker"),
): Promise<string | undefined> {
  const config = await readConfig(join(configFolder, "config.json"));
  const helper = config.credHelpers?.[registry] ?? config.credsStore;
  const auth = helper ? await askHelper(helper, registry) : authOf(config.auths?.[registry], registry);
  return auth && encoded(auth);
}

/** URL-safe, but with the padding that Node leaves out there: Docker 20.10 reads nothing without it. */
function encoded(auth: Auth): string {
  const text = Buffer.from(JSON.stringify(auth)).toString("base64");
  return text.replaceAll("+", "-").replaceAll("/", "_");
}

async function readConfig(path: string): Promise<z.infer<typeof DockerConfig>> {
  try {
    return DockerConfig.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return {};
  }
}

function authOf(entry: z.infer<typeof Entry> | undefined, serveraddress: string): Auth | undefined {
  if (entry?.identitytoken) return { identitytoken: entry.identitytoken, serveraddress };
  const [username = "", ...password] = Buffer.from(entry?.auth ?? "", "base64")
    .toString()
    .split(":");
  return username === "" ? undefined : { username, password: password.join(":"), serveraddress };
}

/** Helpers are told the registry on their standard input, and answer in JSON. */
function askHelper(helper: string, registry: string): Promise<Auth | undefined> {
  if (!/^[a-z0-9._-]+$/i.test(helper))
    throw new Error("The credential helper has a name that cannot be one.");
  return new Promise((resolve, reject) => {
    const options = { timeout: helperDeadlineMs, maxBuffer: 64 * 1024 };
    const child = execFile(`docker-credential-${helper}`, ["get"], options, (failure, stdout) => {
      // The helpers' common way to say that nobody has logged in.
      if (failure && /credentials not found/i.test(stdout)) resolve(undefined);
      else if (failure) reject(new Error(`The credential helper ${helper} failed.`));
      else resolve(parseHelped(stdout, registry));
    });
    child.stdin?.on("error", () => undefined).end(registry);
  });
}

function parseHelped(stdout: string, serveraddress: string): Auth {
  const { Username, Secret } = Helped.parse(JSON.parse(stdout));
  return Username === "<token>"
    ? { identitytoken: Secret, serveraddress }
    : { username: Username, password: Secret, serveraddress };
}
