import { type Logger, pino } from "pino";
import { readableLine } from "#contract/log-line";

/** Events as JSON on standard output, or as text where somebody looks at a terminal. */
export function hostLog(level: string): Logger {
  return pino(
    {
      level,
      base: { service: "agent-host" },
      timestamp: () => `,"timeMs":${Date.now()}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    process.stdout.isTTY
      ? { write: (line) => void process.stdout.write(`${readableLine(line, true)}\n`) }
      : pino.destination(1),
  );
}
