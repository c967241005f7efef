/** What must be undone, the newest first, whether it is over or was interrupted. */
export class Cleanups {
  readonly #steps = new Set<() => Promise<unknown>>();
  readonly #outer: Cleanups | undefined;
  #isClosed = false;
  #running: Promise<void> | undefined;

  constructor(outer?: Cleanups) {
    this.#outer = outer;
  }

  get isClosed(): boolean {
    return this.#isClosed || this.#outer?.isClosed === true;
  }

  /** Called before what is to be undone begins. @throws Error when everything is being undone for good */
  add(step: () => Promise<unknown>): void {
    if (this.isClosed) throw new Error("Nothing is begun any more.");
    this.#steps.add(step);
  }

  /** Cleanups that can be run by themselves before, and are run with these otherwise. */
  inside(): Cleanups {
    const inner = new Cleanups(this);
    this.add(() => inner.run());
    return inner;
  }

  /** Undoes everything, also when a step fails; whoever asks meanwhile waits for the same. @throws the first failure */
  run(): Promise<void> {
    this.#running ??= this.#undo().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** The same, and nothing may be added from now on. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.run();
  }

  async #undo(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#newest(); step; step = this.#newest()) {
      this.#steps.delete(step);
      await step().catch((cause: unknown) => failures.push(cause));
    }
    if (failures.length > 0) throw failures[0];
  }

  #newest(): (() => Promise<unknown>) | undefined {
    return [...this.#steps].at(-1);
  }
}
