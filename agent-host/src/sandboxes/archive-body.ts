type Piece = { bytes: Buffer; taken: () => void };

/** What a program prints, as a body: each piece is credited to the program when the reader has taken it. */
export class ArchiveBody {
  readonly stream: ReadableStream<Uint8Array>;
  /** Resolves with the first piece. */
  readonly begun: Promise<void>;
  readonly #pieces: Piece[] = [];
  #begin: () => void = () => undefined;
  #wake: () => void = () => undefined;
  #outcome: { error?: unknown } | undefined;

  constructor(onCancel: () => void) {
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          while (this.#pieces.length === 0 && !this.#outcome) {
            await new Promise<void>((resolve) => {
              this.#wake = resolve;
            });
          }
          const piece = this.#pieces.shift();
          if (piece) {
            controller.enqueue(piece.bytes);
            piece.taken();
          } else if (this.#outcome?.error) controller.error(this.#outcome.error);
          else controller.close();
        },
        cancel: () => {
          this.end();
          onCancel();
        },
      },
      { highWaterMark: 0 },
    );
  }

  push(bytes: Buffer): Promise<void> {
    if (this.#outcome) return Promise.resolve();
    this.#begin();
    return new Promise((taken) => {
      this.#pieces.push({ bytes, taken });
      this.#wake();
    });
  }

  end(): void {
    this.#settle({});
  }
  fail(error: unknown): void {
    this.#settle({ error });
  }

  #settle(outcome: { error?: unknown }): void {
    this.#outcome ??= outcome;
    for (const { taken } of this.#pieces) taken();
    this.#begin();
    this.#wake();
  }
}
