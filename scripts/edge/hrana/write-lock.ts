/** Whoever asks first writes first; a reader never asks. */
export type WriteLock = {
  /** Resolves with what gives the lock back; calling that twice does no harm. */
  acquire: () => Promise<() => void>;
};

/**
 * One writer at a time, in the order of asking. The engine's own answer to a second writer is an error at once or a
 * wait that blocks the event loop, in which the first writer could never end.
 */
export function writeLock(): WriteLock {
  let last: Promise<unknown> = Promise.resolve();
  return {
    async acquire() {
      const before = last;
      let release: () => void = () => undefined;
      last = new Promise<void>((resolve) => {
        release = resolve;
      });
      await before;
      return release;
    },
  };
}
