import { pino } from "pino";
import { readableLine } from "#contract/log-line";
import type { Log, LogLevel } from "./log.ts";

/** Events as JSON on standard output, or as text where somebody looks at a terminal. */
export function nodeLog(level: LogLevel): Log {
  const logger = pino(
    {
      level,
      base: { service: "control-plane" },
      timestamp: () => `,"timeMs":${Date.now()}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    process.stdout.isTTY
      ? { write: (line) => void process.stdout.write(`${readableLine(line, true)}\n`) }
      : pino.destination(1),
  );
  return ({ level: of, ...event }) => logger[of](event);
}
