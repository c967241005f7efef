import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { fieldTag, frameType, keepsSinceVersion, portsSinceVersion } from "#contract/sandboxd";
import { readFile, readWhole } from "#host/sandboxd/download";
import { deleteEntry, type ListPage, type ListRequest, listEntries } from "#host/sandboxd/entries";
import { SandboxdError } from "#host/sandboxd/error";
import { type ExecHandle, type ExecRequest, type ExecSink, recallExec, startExec } from "#host/sandboxd/exec";
import { envEntry } from "#host/sandboxd/exec-wire";
import { FieldWriter } from "#host/sandboxd/fields";
import type { FileRead, FileStat, ReadRequest, ShortFile, WriteRequest } from "#host/sandboxd/files";
import { type Frame, violation } from "#host/sandboxd/frames";
import { type KeptExec, listKept } from "#host/sandboxd/kept";
import type { Link } from "#host/sandboxd/link";
import { connectPort, type PortRequest } from "#host/sandboxd/port";
import { decodeError } from "#host/sandboxd/stream-error";
import { writeFile } from "#host/sandboxd/upload";

export type Hello = {
  memberId: string;
  /** The generation of the wire that both sides speak. */
  version: number;
  sandboxId?: string;
  generation?: number;
};
export type Configuration = {
  sandboxId: string;
  generation: number;
  key: Buffer;
  env: Record<string, string>;
};

/** A greeted sandboxd. Every promise settles: when the connection ends, with SandboxdError `closed`. */
export type SandboxdConnection = {
  readonly hello: Hello;
  /** Accepted once in the life of a sandbox; the second time rejects with `alreadyConfigured`. */
  configure(configuration: Configuration): Promise<void>;
  /** A `tag` is used only where sandboxd is of a generation that keeps something for it. */
  exec(request: ExecRequest, sink: ExecSink): ExecHandle;
  /** What is kept of execs with a tag that former connections have started; nothing in one that is older. */
  kept(): Promise<KeptExec[]>;
  /** Takes one of those up again. */
  recall(tag: string, sink: ExecSink): ExecHandle;
  /** The output of what has ended under this tag is needed no more. */
  forget(tag: string): void;
  readFile(request: ReadRequest): Promise<FileRead>;
  /** The same for a whole file, which comes as bytes when it is no longer than this. */
  readWhole(path: string, bytesMax: number): Promise<FileRead | ShortFile>;
  writeFile(request: WriteRequest, body: AsyncIterable<Uint8Array>): Promise<FileStat>;
  list(request: ListRequest): Promise<ListPage>;
  delete(request: { path: string; isRecursive: boolean }): Promise<void>;
  /** A connection to a server on the sandbox's loopback. @throws SandboxdError `portRefused`, `portTimeout`, `tooMany` */
  connect(request: PortRequest): Promise<Duplex>;
  /** Rejects with `deadline` when the answer is late; the connection stays as it is. */
  ping(deadlineMs: number): Promise<void>;
  close(): void;
  /** Why the connection ended; never rejects. */
  readonly closed: Promise<SandboxdError>;
  readonly isOpen: boolean;
};

type Pending = { resolve: () => void; reject: (cause: SandboxdError) => void };
type Ping = Pending & { payload: Buffer };

/** A create tries another member after this, and has time for that. */
const configureDeadlineMs = 3_000;

/** The connection-level questions: each is answered in order. */
export class Questions {
  readonly #configures: Pending[] = [];
  readonly #pings: Ping[] = [];

  addConfigure(pending: Pending): void {
    this.#configures.push(pending);
  }

  addPing(ping: Ping): void {
    this.#pings.push(ping);
  }

  /** @throws SandboxdError `protocol` for an answer that nobody asked for */
  onFrame(frame: Frame): void {
    if (frame.type === frameType.pong) {
      const ping = this.#pings.shift();
      if (ping === undefined || !ping.payload.equals(frame.payload))
        throw violation("a pong without its ping");
      ping.resolve();
      return;
    }
    const configure = this.#configures.shift();
    if (configure === undefined) throw violation(`a frame of type ${frame.type} that nobody asked for`);
    if (frame.type === frameType.configured) configure.resolve();
    else if (frame.type === frameType.refused) configure.reject(decodeError(frame.payload));
    else throw violation("a second hello");
  }

  rejectAll(reason: SandboxdError): void {
    const closed = new SandboxdError("closed", reason.message, { cause: reason });
    for (const pending of [...this.#configures.splice(0), ...this.#pings.splice(0)]) pending.reject(closed);
  }
}

/** Wraps a link that has been greeted. */
export function createConnection(link: Link, questions: Questions, hello: Hello): SandboxdConnection {
  void link.closed.then((reason) => questions.rejectAll(reason));
  const keeps = hello.version >= keepsSinceVersion;

  function ask(deadlineMs: number, what: string, send: (pending: Pending) => void): Promise<void> {
    if (!link.isOpen) return Promise.reject(new SandboxdError("closed", "The connection has ended."));
    return new Promise((resolve, reject) => {
      const late = () => reject(new SandboxdError("deadline", `sandboxd did not answer ${what} in time.`));
      const timer = setTimeout(late, deadlineMs);
      send({
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: (cause) => {
          clearTimeout(timer);
          reject(cause);
        },
      });
    });
  }

  return {
    hello,
    configure: async (configuration) => {
      const payload = encodeConfiguration(configuration);
      await ask(configureDeadlineMs, "configure", (pending) => {
        questions.addConfigure(pending);
        link.send(frameType.configure, 0, payload);
      });
    },
    exec: (request, sink) => startExec(link, keeps ? request : untagged(request), sink),
    kept: () => (keeps ? listKept(link) : Promise.resolve([])),
    recall: (tag, sink) => recallExec(link, tag, sink),
    forget: (tag) => {
      if (keeps) link.send(frameType.forget, 0, new FieldWriter().put(fieldTag.tag, tag).finish());
    },
    readFile: (request) => readFile(link, request),
    readWhole: (path, bytesMax) => readWhole(link, path, bytesMax),
    writeFile: (request, body) => writeFile(link, request, body),
    list: (request) => listEntries(link, request),
    delete: (request) => deleteEntry(link, request),
    connect: (request) => {
      if (hello.version >= portsSinceVersion) return connectPort(link, request);
      return Promise.reject(new SandboxdError("portUnknown", "This sandboxd is older than ports."));
    },
    ping: (deadlineMs) =>
      ask(deadlineMs, "ping", (pending) => {
        const payload = randomBytes(8);
        questions.addPing({ ...pending, payload });
        link.send(frameType.ping, 0, payload);
      }),
    close: () => link.close(new SandboxdError("closed", "We closed the connection.")),
    closed: link.closed,
    get isOpen() {
      return link.isOpen;
    },
  };
}

function untagged({
  tag: _tag,
  metadata: _metadata,
  endsWithHost: _ends,
  ...request
}: ExecRequest): ExecRequest {
  return request;
}

function encodeConfiguration(configuration: Configuration): Buffer {
  const fields = new FieldWriter()
    .put(fieldTag.sandboxId, configuration.sandboxId)
    .putUint(fieldTag.generation, configuration.generation, 4)
    .put(fieldTag.key, configuration.key);
  for (const [name, value] of Object.entries(configuration.env))
    fields.put(fieldTag.env, envEntry(name, value));
  return fields.finish();
}
