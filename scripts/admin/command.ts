import { type ApiName, type ApiRow, api } from "#contract/api";

/** An option of a command: what it says in a request. */
export type Option = {
  about: string;
  /** Where its value goes: a member of the body, by dots, or `?name` of the query. */
  to: string;
  /** How the text is read; a plain text when absent. `none` gives `null`. */
  is?: "number" | "cap" | "list" | "flag" | "file";
};

/** One verb of the command line, which is one row of the API. */
export type Command = {
  row: ApiName;
  /** The name of what stands in the path, in usage. */
  id?: string;
  options?: Record<string, Option>;
  /** Columns of the table: a heading, and where the value stands in an item, by dots. */
  columns?: readonly (readonly [heading: string, path: string])[];
};

export type Order = { row: ApiRow; path: string; body: object | undefined };

/** What a person typed cannot be carried out; the message says what to type instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * The request that a command makes of its words and options.
 * @param read gives the text of a file
 * @throws UsageError
 */
export function orderOf(
  command: Command,
  words: readonly string[],
  values: Record<string, string | boolean | undefined>,
  read: (path: string) => string,
): Order {
  const row: ApiRow = api[command.row];
  const [id, ...more] = words;
  if (command.id !== undefined && id === undefined)
    throw new UsageError(`Say which: <${command.id}> is missing.`);
  if (more.length > 0 || (command.id === undefined && id !== undefined)) {
    throw new UsageError(`There is a word too many: ${JSON.stringify(words.at(-1))}.`);
  }
  const query = new URLSearchParams();
  const body: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(command.options ?? {})) {
    const given = values[name];
    if (given === undefined) continue;
    const value = parsed(name, option, given, read);
    if (option.to.startsWith("?")) query.set(option.to.slice(1), String(value));
    else put(body, option.to, value);
  }
  const path = row.path.replace(":id", encodeURIComponent(id ?? ""));
  const search = query.size > 0 ? `?${query}` : "";
  return { row, path: path + search, body: row.body ? body : undefined };
}

function parsed(
  name: string,
  { is }: Option,
  value: string | boolean,
  read: (path: string) => string,
): unknown {
  if (typeof value === "boolean") return value;
  if (value === "none") return null;
  if (is === "list") return value.split(",").map((each) => each.trim());
  if (is === "file") return jsonOf(name, read(value));
  if (is !== "number" && is !== "cap") return value;
  if (!/^\d+(\.\d+)?$/.test(value)) throw new UsageError(`--${name} must be a number or none.`);
  return is === "cap" ? { monthlyCapMicros: Number(value) } : Number(value);
}

function jsonOf(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--${name} must name a file of JSON.`);
  }
}

/** Puts a value where a path of dots leads, beside what another option has put there; an empty one stands for the whole. */
function put(body: Record<string, unknown>, path: string, value: unknown): void {
  if (path === "") return void Object.assign(body, value);
  const [first = "", ...rest] = path.split(".");
  const inner = body[first];
  if (rest.length > 0) {
    // Only objects have paths that lead further.
    const object = (inner ?? {}) as Record<string, unknown>;
    body[first] = object;
    put(object, rest.join("."), value);
  } else {
    const isBoth = typeof inner === "object" && typeof value === "object" && value !== null;
    body[first] = isBoth ? { ...inner, ...value } : value;
  }
}
