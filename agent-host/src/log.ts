import { type Logger, pino } from "pino";
import { batchLines } from "#contract/log-batch";
import { readableLine } from "#contract/log-line";

/** Whoever reads it may go away at any moment: that is no reason to end, nor to wait. */
function batched() {
  process.stdout.on("error", () => undefined);
  const batch = batchLines((lines) => void process.stdout.write(lines));
  process.once("exit", batch.flush);
  return batch;
}

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
      : batched(),
  );
}
