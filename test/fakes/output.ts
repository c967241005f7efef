import { eventFrame } from "#contract/events";
import { toBytes } from "#worker/bytes";

/** Events of one command, numbered as a host does: by the bytes of output up to their end, the exit one more. */
export class FakeOutput {
  readonly #frames: { number: number; text: string }[] = [];
  #bytes = 0;
  #hasEnded = false;
  #changed: () => void = () => undefined;

  print(data: string): void {
    if (data === "") return;
    this.#bytes += toBytes(data).byteLength;
    this.#append("stdout", { seq: this.#bytes, data, encoding: "utf8" }, this.#bytes);
  }

  end(exit: object): void {
    this.#hasEnded = true;
    this.#append("exit", exit, this.#bytes + 1);
  }

  /** Whole events after a number, up to the exit, which whoever asks for more than there is gets too. */
  follow(after: number): ReadableStream<Uint8Array> {
    let at = this.#frames.findIndex(({ number }) => number > after);
    if (at < 0) at = this.#hasEnded ? this.#frames.length - 1 : this.#frames.length;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        while (at >= this.#frames.length && !this.#hasEnded)
          await new Promise<void>((resolve) => {
            this.#changed = resolve;
          });
        const text = this.#frames.slice(at).map((frame) => frame.text);
        if (text.length > 0) controller.enqueue(toBytes(text.join("")));
        at = this.#frames.length;
        if (this.#hasEnded) controller.close();
      },
    });
  }

  #append(event: "stdout" | "exit", data: unknown, number: number): void {
    this.#frames.push({ number, text: eventFrame(event, data, number) });
    this.#changed();
  }
}
