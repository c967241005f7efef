const assignment = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/;

/** A line of an environment file that is no assignment; the message names the line. */
export class EnvFileError extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.name = "EnvFileError";
    this.line = line;
  }
}

/**
 * Parses `NAME=value` lines: blank lines and `#` comments are skipped, single or double quotes around a whole value are
 * removed, nothing is expanded, and the last of two equal names wins.
 * @throws EnvFileError on the first line that is none of these
 */
export function parseEnvFile(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, name, value] = assignment.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new EnvFileError(index + 1, `Line ${index + 1} is not NAME=value.`);
    }
    values[name] = unquote(value, index + 1);
  }
  return values;
}

function unquote(value: string, line: number): string {
  const quote = value.charAt(0);
  // A comment may follow a bare value only after a blank, so that a `#` inside a key or an address survives.
  if (quote !== '"' && quote !== "'") return value.replace(/\s+#.*$/, "");
  const end = value.indexOf(quote, 1);
  const rest = value.slice(end + 1).trim();
  if (end < 0 || (rest !== "" && !rest.startsWith("#"))) {
    throw new EnvFileError(line, `Line ${line} has a quote that is not closed, or something after it.`);
  }
  return value.slice(1, end);
}
