import { type Logger, pino } from "pino";
import { readableLine } from "#contract/log-line";

const flushMs = 50;

/** Lines are handed over together, as the control plane does. Whatever ends this process but SIGKILL, all are written. */
function batched() {
  const destination = pino.destination({ dest: 1, sync: false, minLength: 4096 });
  setInterval(() => destination.flush(), flushMs).unref();
  return destination;
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
