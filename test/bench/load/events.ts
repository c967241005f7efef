import { request } from "node:http";
import type { TestStack } from "../../support/stack.ts";

export type ExecEvent = { name: string; data: string };

/** Runs a command as a stream; resolves when the stream has ended with `exit`. @throws Error when it ended otherwise */
export async function streamExec(
  stack: TestStack,
  id: string,
  command: string[],
  onEvent: (event: ExecEvent) => void,
): Promise<void> {
  const body = JSON.stringify({ command });
  let last: ExecEvent | undefined;
  await readEvents(stack, `/v1/sandboxes/${id}/exec`, body, (text) => {
    const event = parseEvent(text);
    if (!event) return;
    last = event;
    onEvent(event);
  });
  const exit = last?.name === "exit" ? (JSON.parse(last.data) as { exitCode: number }) : undefined;
  if (exit?.exitCode !== 0) throw new Error(`The stream ended with ${last?.name}: ${last?.data}.`);
}

/** A server-sent event of ours; nothing for a comment. */
export function parseEvent(text: string): ExecEvent | undefined {
  const name = /^event: (.*)$/m.exec(text)?.[1];
  const at = text.indexOf("data: ");
  if (name === undefined || at === -1) return undefined;
  return { name, data: text.slice(at + "data: ".length) };
}

function readEvents(stack: TestStack, path: string, body: string, onEvent: (text: string) => void) {
  const headers = {
    authorization: `Bearer ${stack.apiKey}`,
    accept: "text/event-stream",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  };
  return new Promise<void>((resolve, reject) => {
    const outgoing = request(stack.url + path, { method: "POST", headers }, (response) => {
      const splitter = new EventSplitter(onEvent);
      response.setEncoding("utf8");
      response.on("data", (text: string) => splitter.push(text));
      response.once("end", resolve);
      response.once("error", reject);
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

/** Cuts a stream at the empty lines between events. Looks at each character once, however long an event is. */
export class EventSplitter {
  readonly #onEvent: (text: string) => void;
  #parts: string[] = [];
  #endsWithNewline = false;

  constructor(onEvent: (text: string) => void) {
    this.#onEvent = onEvent;
  }

  push(text: string): void {
    if (text === "") return;
    let begin = 0;
    if (this.#endsWithNewline && text.startsWith("\n")) begin = this.#take("", 1);
    for (let end = text.indexOf("\n\n", begin); end !== -1; end = text.indexOf("\n\n", begin))
      begin = this.#take(text.slice(begin, end), end + 2);
    if (begin < text.length) this.#parts.push(text.slice(begin));
    this.#endsWithNewline = begin < text.length && text.endsWith("\n");
  }

  #take(last: string, next: number): number {
    this.#onEvent(this.#parts.concat(last).join("").trimEnd());
    this.#parts = [];
    return next;
  }
}
