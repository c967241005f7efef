/** How much of everything is measured. `quick` is for a look: it takes about 90 s on a quiet machine. */
export type Scale = {
  /** Calls of a path before it is measured: V8 compiles it well only after a thousand or more. */
  warmExecs: number;
  warmReads: number;
  warmCreates: number;
  createBlocks: number;
  colds: number;
  execBlocks: number;
  fileBlocks: number;
  /** How long each row of calls per second is measured. */
  loadMs: number;
  interactive: number;
  /** Sandboxes kept warm for bursts. */
  crowd: number;
  creates: readonly { atOnce: number; rounds: number; dockerRounds: number }[];
  density: readonly number[];
  densityExecs: number;
  idleMs: number;
  refills: number;
  stdouts: number;
  /** Large files each way. */
  bulks: number;
  streamLines: number;
};

const quick: Scale = {
  warmExecs: 500,
  warmReads: 200,
  warmCreates: 8,
  createBlocks: 2,
  colds: 3,
  execBlocks: 4,
  fileBlocks: 4,
  loadMs: 400,
  interactive: 5,
  crowd: 10,
  creates: [
    { atOnce: 1, rounds: 2, dockerRounds: 1 },
    { atOnce: 10, rounds: 1, dockerRounds: 1 },
  ],
  density: [10],
  densityExecs: 100,
  idleMs: 1_000,
  refills: 1,
  stdouts: 1,
  bulks: 1,
  streamLines: 30,
};

const full: Scale = {
  warmExecs: 5_000,
  warmReads: 3_000,
  warmCreates: 48,
  createBlocks: 38,
  colds: 30,
  execBlocks: 80,
  fileBlocks: 80,
  loadMs: 5_000,
  interactive: 100,
  crowd: 100,
  creates: [
    { atOnce: 1, rounds: 50, dockerRounds: 10 },
    { atOnce: 5, rounds: 10, dockerRounds: 4 },
    { atOnce: 10, rounds: 6, dockerRounds: 3 },
    { atOnce: 20, rounds: 4, dockerRounds: 2 },
    { atOnce: 50, rounds: 4, dockerRounds: 2 },
  ],
  density: [100, 200, 400, 800],
  densityExecs: 1_000,
  idleMs: 10_000,
  refills: 5,
  stdouts: 7,
  bulks: 5,
  streamLines: 200,
};

export const scales = { quick, full };
