import { type ExitEvent, OutputEvent } from "#contract/exec";

export type ServerEvent = { id: string; event: string; data: string };

/** Server-sent events by the letter of their standard: any of CR, LF and CRLF ends a line, an empty line the event. */
export async function* eventsOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<ServerEvent> {
  if (body === null) throw new Error("There is no stream.");
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  let fields: Record<string, string> = {};
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split(/\r\n|\n|\r/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (fields.data !== undefined) {
          yield { id: fields.id ?? "", event: fields.event ?? "message", data: fields.data };
        }
        fields = {};
        continue;
      }
      const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      fields[name] = name === "data" && fields.data !== undefined ? `${fields.data}\n${value}` : value;
    }
  }
  if (rest !== "" || Object.keys(fields).length > 0) throw new Error("The stream ended inside an event.");
}

export type Collected = {
  events: ServerEvent[];
  stdout: Buffer;
  stderr: Buffer;
  /** The data of the last event. */
  last: ServerEvent & { json: ExitEvent & { code?: string; facts?: Record<string, string> } };
};

/** A whole stream, with its bytes put together again. */
export async function collect(stream: AsyncIterable<ServerEvent>): Promise<Collected> {
  const events: ServerEvent[] = [];
  for await (const event of stream) events.push(event);
  const bytes = (kind: string) =>
    Buffer.concat(events.filter(({ event }) => event === kind).map(({ data }) => bytesOf(data)));
  const last = events.at(-1);
  if (!last) throw new Error("The stream was empty.");
  return {
    events,
    stdout: bytes("stdout"),
    stderr: bytes("stderr"),
    last: { ...last, json: JSON.parse(last.data) },
  };
}

/** The bytes of an output event. */
export function bytesOf(data: string): Buffer {
  const { data: text, encoding } = OutputEvent.parse(JSON.parse(data));
  return Buffer.from(text, encoding);
}
