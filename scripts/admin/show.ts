import { type ApiRow, api } from "#contract/api";
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What was answered, for people: a table of many, lines of one. Control characters never reach the terminal. */
export function shown(command: Command, answer: unknown): string {
  if (answer === undefined) return "Done.";
  if (isObject(answer) && Array.isArray(answer.items) && command.columns) {
    const rows = answer.items.map((item) => (command.columns ?? []).map(([, path]) => cell(at(item, path))));
    const next = typeof answer.nextCursor === "string" ? `\nMore with --cursor ${answer.nextCursor}` : "";
    return (
      (rows.length === 0 ? "There are none." : table([command.columns.map(([head]) => head), ...rows])) + next
    );
  }
  return table(linesOf(answer).map(([name, value]) => [name, value]));
}

/** Columns as wide as what is in them. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function at(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), value);
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "-";
  const text = Array.isArray(value)
    ? value.map(cell).join(" ")
    : isObject(value)
      ? JSON.stringify(value)
      : String(value);
  return text.replace(/\p{C}/gu, "\uFFFD");
}

function linesOf(value: unknown, prefix = ""): [string, string][] {
  if (!isObject(value)) return [[prefix, cell(value)]];
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    return isObject(inner) ? linesOf(inner, path) : [[path, cell(inner)] as [string, string]];
  });
}

/** All commands with what they do, and with their options for one of them. */
export function usage(words?: string): string {
  const command = words === undefined ? undefined : commands[words];
  if (words !== undefined && command) {
    const options = Object.entries({ ...command.options, json: { about: "print the answer as JSON" } });
    const lines = options.map(([name, { about }]) => [`  --${name}`, about]);
    return `npm run admin -- ${lineOf(words, command)} [options]\n${aboutOf(command)}.\n\n${table(lines)}`;
  }
  const lines = Object.entries(commands).map(([name, each]) => [`  ${lineOf(name, each)}`, aboutOf(each)]);
  return `npm run admin -- <command> [options]; --help behind a command says which.

${table(lines)}

SANDGATE_URL and SANDGATE_ADMIN_KEY are read from the environment, else from dev.env in the data folder.`;
}

const lineOf = (words: string, { id }: Command) => (id === undefined ? words : `${words} <${id}>`);

function aboutOf(command: Command): string {
  const row: ApiRow = api[command.row];
  return row.summary;
}
