export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogEvent = { level: LogLevel; event: string } & Record<string, unknown>;

/** Where events go; each entry picks one (pino on Node, the console elsewhere). */
export type Log = (event: LogEvent) => void;

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];
const causeDepthMax = 4;
const textMaxChars = 2_000;

/** One JSON line per event; line breaks and escapes inside of values are escaped by JSON itself. */
export function lineLog(least: LogLevel, write: (line: string) => void, now: () => number): Log {
  return (event) => {
    if (levels.indexOf(event.level) < levels.indexOf(least)) return;
    write(JSON.stringify({ timeMs: now(), ...event }));
  };
}

/** An error with its causes as plain values for the log, bounded; never for an answer. */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error).slice(0, textMaxChars) };
  return {
    name: error.name,
    message: messageOf(error),
    ...("code" in error && { code: String(error.code) }),
    stack: error.stack
      ?.split("\n")
      .filter((line) => /^\s+at /.test(line))
      .join("\n")
      .slice(0, textMaxChars),
    ...(error.cause !== undefined &&
      depth < causeDepthMax && { cause: describeError(error.cause, depth + 1) }),
  };
}

/** A failed query's message holds its parameters, which are tenants' values; the statement says enough. */
function messageOf(error: Error): string {
  const text = "query" in error && "params" in error ? `Failed query: ${error.query}` : error.message;
  return text.slice(0, textMaxChars);
}
