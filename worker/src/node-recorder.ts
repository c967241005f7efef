import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import { rateClasses } from "#contract/rate";
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
  const refused = new Counter({
    name: "sandgate_rate_limited_total",
    help: "Requests that were refused for being too many, by class.",
    labelNames: ["class"],
    registers: [registry],
  });
  // From the start, so that the first refusal is an increase.
  for (const each of [...rateClasses, "port", "streams"]) refused.inc({ class: each }, 0);
  return {
    refused: (of) => refused.inc({ class: of }),
    request: (labels, durationSeconds) => requests.observe(labels, durationSeconds),
    text: () => registry.metrics(),
  };
}
