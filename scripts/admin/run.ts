import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseEnvFile } from "#contract/envfile";
import { resolveSettings } from "#contract/settings";
import { orderOf, UsageError } from "./command.ts";
import { commands } from "./commands.ts";
import { send } from "./send.ts";
import { shown, usage } from "./show.ts";

/** What a script can tell apart: done, refused by the service, and not understood. */
const exitCodes = { refused: 1, usage: 2 } as const;

export type Io = {
  environment: Record<string, string | undefined>;
  print: (text: string) => void;
  complain: (text: string) => void;
  fetch: typeof fetch;
};

/** Carries out one command of an operator, and gives the code to exit with. */
export async function runAdmin(args: readonly string[], io: Io): Promise<number> {
  try {
    await carryOut(args, io);
    return 0;
  } catch (error) {
    io.complain(error instanceof Error ? error.message : String(error));
    return error instanceof UsageError ? exitCodes.usage : exitCodes.refused;
  }
}

async function carryOut(args: readonly string[], io: Io): Promise<void> {
  const [noun = "", verb = "", ...rest] = args;
  const words = `${noun} ${verb}`;
  if (noun === "" || noun === "--help" || noun === "help") return io.print(usage());
  const command = Object.hasOwn(commands, words) ? commands[words] : undefined;
  if (!command) throw new UsageError(`There is no command ${JSON.stringify(words.trim())}.\n\n${usage()}`);
  const { values, positionals } = parse(command.options ?? {}, rest);
  if (values.help === true) return io.print(usage(words));
  const order = orderOf(command, positionals, values, (path) => readText(path));
  const answer = await send(credentials(io.environment), order, io.fetch);
  io.print(values.json === true ? JSON.stringify(answer ?? null, null, 2) : shown(command, answer));
}

function parse(options: NonNullable<(typeof commands)[string]["options"]>, args: string[]) {
  const known = Object.entries(options).map(([name, { is }]) => {
    return [name, { type: is === "flag" ? ("boolean" as const) : ("string" as const) }] as const;
  });
  const own = { json: { type: "boolean" as const }, help: { type: "boolean" as const } };
  try {
    const parsed = parseArgs({
      args,
      options: { ...Object.fromEntries(known), ...own },
      allowPositionals: true,
    });
    // No option of ours may be given twice, so none has a list of values.
    const values = parsed.values as Record<string, string | boolean | undefined>;
    return { values, positionals: parsed.positionals };
  } catch (cause) {
    throw new UsageError(`${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function credentials(environment: Io["environment"]): { url: string; adminKey: string } {
  const folder = resolveSettings(environment).values.SANDGATE_DATA_DIR;
  const path = join(folder, "dev.env");
  const read = (name: "SANDGATE_URL" | "SANDGATE_ADMIN_KEY") =>
    environment[name] || fromFile(path)[name] || "";
  const found = { url: read("SANDGATE_URL"), adminKey: read("SANDGATE_ADMIN_KEY") };
  if (found.url !== "" && found.adminKey !== "") return found;
  throw new UsageError(`Set SANDGATE_URL and SANDGATE_ADMIN_KEY, or run npm start, which writes ${path}.`);
}

function fromFile(path: string): Record<string, string | undefined> {
  try {
    return parseEnvFile(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new UsageError(`${path} cannot be read.`);
  }
}
