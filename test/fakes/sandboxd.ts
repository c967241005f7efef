import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { protocolVersion } from "#contract/sandboxd";
import type { SandboxdConnection } from "#host/sandboxd/connection";
import { SandboxdError } from "#host/sandboxd/error";
import type { ExecExit, ExecRequest, ExecSink } from "#host/sandboxd/exec";

type Configured = { sandboxId: string; generation: number; key: Buffer };

/** The daemon of a fake member: it keeps its configuration and files across connections, as the real one does. */
export class FakeSandboxd {
  readonly memberId: string;
  readonly files = new Map<string, Buffer>();
  configured: Configured | undefined;
  #connections = new Set<{ end(reason: SandboxdError): void }>();
  isAlive = true;
  /** Set to make the daemon stop answering, as a frozen one would. */
  isSilent = false;
  /** Parked: it answers once it is thawed, and nobody here waits for that. */
  isFrozen = false;

  constructor(memberId: string) {
    this.memberId = memberId;
  }

  die(): void {
    this.isAlive = false;
    for (const connection of this.#connections)
      connection.end(new SandboxdError("closed", "the daemon died"));
  }

  /** What `listenForSandboxd` does with a real one: the proof is checked under the key that is expected. */
  dial(expect?: Configured): SandboxdConnection {
    if (!this.isAlive) throw new SandboxdError("deadline", "nobody dialled");
    if (expect && !this.#proves(expect)) throw new SandboxdError("proof", "the proof is wrong");
    return this.#connect();
  }

  #proves(expect: Configured): boolean {
    const own = this.configured;
    if (!own || own.sandboxId !== expect.sandboxId || own.generation !== expect.generation) return false;
    const proof = (key: Buffer) => createHmac("sha256", key).update(own.sandboxId).digest("hex");
    return proof(own.key) === proof(expect.key);
  }

  #connect(): SandboxdConnection {
    const daemon = this;
    let isOpen = true;
    let close: (reason: SandboxdError) => void = () => undefined;
    const closed = new Promise<SandboxdError>((resolve) => {
      close = resolve;
    });
    const connection = {
      end(reason: SandboxdError) {
        isOpen = false;
        daemon.#connections.delete(connection);
        close(reason);
      },
    };
    this.#connections.add(connection);
    const { memberId, configured } = this;
    const { sandboxId, generation } = configured ?? {};
    return {
      hello: {
        memberId,
        version: protocolVersion,
        ...(sandboxId && { sandboxId }),
        ...(generation && { generation }),
      },
      closed,
      get isOpen() {
        return isOpen;
      },
      close: () => connection.end(new SandboxdError("closed", "closed by the host")),
      async configure(config) {
        if (!isOpen) throw new SandboxdError("closed", "the daemon died");
        if (daemon.isFrozen) throw new SandboxdError("deadline", "no answer");
        if (daemon.configured) throw new SandboxdError("alreadyConfigured", "configured before");
        daemon.configured = config;
      },
      async ping() {
        if (!isOpen || daemon.isSilent || daemon.isFrozen) throw new SandboxdError("deadline", "no answer");
      },
      exec: (request, sink) => daemon.#exec(request, sink, closed),
      // As one that is older than this is.
      async kept() {
        return [];
      },
      recall: (_tag, sink) => daemon.#exec({ argv: ["nothing-is-kept"] }, sink, closed),
      forget: () => undefined,
      async readFile({ path }) {
        if (!daemon.configured) throw new SandboxdError("notConfigured", "not configured");
        const content = daemon.files.get(path);
        if (!content) throw new SandboxdError("notFound", "no such file");
        return { stat: statOf(content), body: new Blob([new Uint8Array(content)]).stream() };
      },
      async readWhole(path, bytesMax) {
        const read = await this.readFile({ path });
        if (read.stat.size > bytesMax) return read;
        return { stat: read.stat, bytes: new Uint8Array(await new Response(read.body).arrayBuffer()) };
      },
      async writeFile({ path }, body) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of body) chunks.push(chunk);
        const content = Buffer.concat(chunks);
        daemon.files.set(path, content);
        return statOf(content);
      },
      async list() {
        throw new SandboxdError("notFound", "a fake has no folders");
      },
      async delete({ path }) {
        if (!daemon.files.delete(path)) throw new SandboxdError("notFound", "no such file");
      },
      async connect({ port }) {
        // Its loopback is the machine's: what the test listens on is what runs in the sandbox.
        const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
        await once(socket, "connect").catch((cause: unknown) => {
          throw new SandboxdError("portRefused", "nobody listens", { cause });
        });
        void closed.then((reason) => socket.destroy(reason));
        return socket;
      },
    };
  }

  /** Knows `true`, `false`, `echo`, `cat` and `sleep`; `sleep` lasts until the connection ends. */
  #exec(request: ExecRequest, sink: ExecSink, closed: Promise<SandboxdError>) {
    const [first, , script = ""] = request.argv;
    const [program, ...args] = first === "/bin/sh" ? script.split(" ") : request.argv;
    const done = (exitCode: number): ExecExit => ({
      exitCode,
      signal: 0,
      reason: "exited",
      durationMicros: 1,
    });
    const input: Uint8Array[] = [];
    let endInput: () => void = () => undefined;
    const inputEnded = new Promise<void>((resolve) => {
      endInput = resolve;
    });
    const run = async (): Promise<ExecExit> => {
      if (program === "sleep") throw await closed;
      if (program === "cat") {
        await inputEnded;
        sink.onOutput("stdout", Buffer.concat(input));
      } else if (program === "echo") sink.onOutput("stdout", Buffer.from(`${args.join(" ")}\n`));
      else if (program !== "true" && program !== "false")
        throw new SandboxdError("notFound", "no such program");
      return done(program === "false" ? 1 : 0);
    };
    return {
      exit: run(),
      write: async (bytes: Uint8Array) => void input.push(bytes),
      endStdin: () => endInput(),
      kill: () => undefined,
      signalTree: () => undefined,
      resize: () => undefined,
      takesInput: true,
      offer: (bytes: Uint8Array) => input.push(bytes) > 0,
    };
  }
}

const statOf = ({ length }: Buffer) => ({
  size: length,
  mode: 0o644,
  uid: 1,
  gid: 1,
  mtimeMs: 0,
  revision: String(length),
});
