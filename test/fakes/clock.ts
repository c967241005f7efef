/** A clock that stands still until a test moves it. */
export type FakeClock = { now: () => number; advance: (ms: number) => void };

export function fakeClock(startMs = Date.UTC(2030, 0, 1)): FakeClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
  };
}
