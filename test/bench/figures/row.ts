import type { Sample } from "./measure.ts";

export type Figure = { value: number; unit: string };
/** How many times as fast as a baseline of the same run. */
export type Against = { baseline: string; ratio: number };

/** One line of the results. */
export type Row = {
  name: string;
  sample?: Sample;
  figure?: Figure;
  success?: { ok: number; of: number };
  against?: Against[];
  /** What a reader must know about this one. */
  note?: string;
};

/** A case that this machine or this run has no room for, and why. */
export type Skipped = { name: string; reason: string };
export type Outcome = { rows: Row[]; skipped?: Skipped[]; notes?: string[] };

/** Compares by the middle: half of the calls were faster. */
export function faster(baseline: string, ours: Sample, theirs: Sample): Against {
  return { baseline, ratio: theirs.p50 / ours.p50 };
}
