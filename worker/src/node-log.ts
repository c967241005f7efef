import { pino } from "pino";
import { readableLine } from "#contract/log-line";
import type { Log, LogLevel } from "./log.ts";

const flushMs = 50;

/**
 * Lines are handed over together: a write of its own for each was a fifth of what reading a sandbox cost. Whatever ends
 * this process but SIGKILL, the last of them are written.
 */
function batched() {
  const destination = pino.destination({ dest: 1, sync: false, minLength: 4096 });
  setInterval(() => destination.flush(), flushMs).unref();
  return destination;
}

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
      : batched(),
  );
  return ({ level: of, ...event }) => logger[of](event);
}
