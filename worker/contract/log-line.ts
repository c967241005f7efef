/** What stands in every log line of ours, whichever process writes it: one JSON object a line. */
type Line = { timeMs?: number; level?: string; service?: string; event?: string; msg?: string } & Record<
  string,
  unknown
>;

const colors: Record<string, string> = { debug: "\u001b[2m", warn: "\u001b[33m", error: "\u001b[31m" };
const dim = "\u001b[2m";
const plain = "\u001b[0m";
/** Said at the beginning of a line, in this order, or not at all. */
const head = ["method", "route", "status", "durationMs", "code", "requestId"];
const told = new Set(["timeMs", "level", "service", "event", "msg", "cause", "err", ...head]);

/** A log line for people; what is no log line of ours is returned as it is. */
export function readableLine(text: string, hasColor = false): string {
  const line = parse(text);
  if (!line) return text;
  const paint = (color: string | undefined, words: string) =>
    hasColor && color !== undefined ? `${color}${words}${plain}` : words;
  const time = new Date(line.timeMs ?? 0).toISOString().slice(11, 23);
  const level = line.level ?? "info";
  const facts = head.filter((name) => line[name] !== undefined).map((name) => textOf(name, line[name]));
  const rest = Object.entries(line)
    .filter(([name]) => !told.has(name))
    .map(([name, value]) => paint(dim, `${name}=${textOf(name, value)}`));
  const start = [
    paint(dim, time),
    paint(colors[level], level.padEnd(5)),
    line.service,
    line.event ?? line.msg,
  ];
  const words = [...start, ...facts, ...rest].filter((word) => word !== undefined && word !== "");
  return [words.join(" "), ...causeLines(line.cause ?? line.err)].join("\n");
}

function parse(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isLine = typeof value === "object" && value !== null && "level" in value;
    return isLine ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}

function textOf(name: string, value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return name === "durationMs" ? `${text}ms` : text;
}

/** The chain of an error, each cause further in, with its stack. */
function causeLines(cause: unknown, indent = "  "): string[] {
  if (typeof cause !== "object" || cause === null) return [];
  const { name, type, message, stack, cause: inner } = cause as Record<string, unknown>;
  const trace = typeof stack === "string" ? stack.split("\n").filter((line) => /^\s+at /.test(line)) : [];
  return [
    `${indent}${name ?? type ?? "Error"}: ${message ?? ""}`,
    ...trace.map((line) => `${indent}  ${line.trim()}`),
    ...causeLines(inner, `${indent}  `),
  ];
}
