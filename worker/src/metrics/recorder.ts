import type { RateClass } from "#contract/rate";

/** Counts what one process serves; there is none where processes come and go with the load, as at the edge. */
export type Recorder = {
  request(labels: { route: string; method: string; status: number }, durationSeconds: number): void;
  /** Of a bucket's class, of `port` without a key, or of `streams`. */
  refused(of: RateClass | "port" | "streams"): void;
  /** Everything counted so far, in the text format of Prometheus. */
  text(): Promise<string>;
};
