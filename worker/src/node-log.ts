import { pino } from "pino";
import { batchLines } from "#contract/log-batch";
import { readableLine } from "#contract/log-line";
import type { Log, LogLevel } from "./log.ts";

/** Whoever reads it may go away at any moment: that is no reason to end, nor to wait. */
function batched() {
  process.stdout.on("error", () => undefined);
  const batch = batchLines((lines) => void process.stdout.write(lines));
  process.once("exit", batch.flush);
  return batch;
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
