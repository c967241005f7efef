import { collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { Recorder } from "./metrics/recorder.ts";

/** A command takes about two milliseconds, a wait for a run up to a minute. */
const secondsBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

/** Requests by route, and the process itself: event loop lag, memory, garbage collection. */
export function nodeRecorder(): Recorder {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: "http_request_duration_seconds",
    help: "Requests of the API, until the answer begins.",
    labelNames: ["route", "method", "status"],
    buckets: secondsBuckets,
    registers: [registry],
  });
  return {
    request: (labels, durationSeconds) => requests.observe(labels, durationSeconds),
    text: () => registry.metrics(),
  };
}
