import { readFileSync } from "node:fs";
import { join } from "node:path";

const programs = ["control-plane", "agent-host"];

/** What the programs over a data folder have logged so far. */
export function logsOf(dataDir: string) {
  const text = () =>
    programs.map((program) => readFileSync(join(dataDir, "logs", `${program}.log`), "utf8")).join("\n");
  return {
    text,
    /** The lines that name a request, the control plane's before the host's. */
    about: (requestId: string): unknown[] =>
      text()
        .split("\n")
        .filter((line) => line.includes(requestId))
        .map((line) => JSON.parse(line)),
  };
}
