import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createEngine, type Engine } from "#host/engine/request";

const deadlineMs = 120_000;
const label = "sandgate.bench";
const frameHeadBytes = 8;

/** Plain Docker through the engine's API, as the baseline: no CLI start-up is counted against it. */
export class PlainDocker {
  readonly #engine: Engine;
  readonly #image: string;
  readonly #mark = randomBytes(8).toString("hex");
  readonly #underWay = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(socketPath: string, image: string) {
    this.#engine = createEngine(socketPath);
    this.#image = image;
  }

  /** What `docker run -d` does. @returns the container's id */
  run(): Promise<string> {
    return this.#isClosed ? Promise.reject(new Error("Docker's turn is over.")) : this.#track(this.#start());
  }

  async #start(): Promise<string> {
    const created = await this.#engine.json<{ Id: string }>({
      method: "POST",
      path: "/containers/create",
      body: {
        Image: this.#image,
        Entrypoint: ["sleep", "600"],
        Labels: { [label]: this.#mark },
        HostConfig: {
          NetworkMode: "none",
          LogConfig: { Type: "none" },
          Memory: 256 * 1024 * 1024,
          PidsLimit: 256,
        },
      },
      deadlineMs,
    });
    await this.#engine.text({ method: "POST", path: `/containers/${created.Id}/start`, deadlineMs });
    return created.Id;
  }

  /**
   * What `docker exec` does: the command's exit code is known when this resolves.
   * @param onOutput gets what the command prints
   * @throws Error when it does not end with 0
   */
  async exec(id: string, command: string[], onOutput: (bytes: Buffer) => void = () => undefined) {
    const body = { Cmd: command, AttachStdout: true, AttachStderr: true };
    const path = `/containers/${id}/exec`;
    const exec = await this.#engine.json<{ Id: string }>({ method: "POST", path, body, deadlineMs });
    const start = {
      method: "POST",
      path: `/exec/${exec.Id}/start`,
      body: { Detach: false },
      deadlineMs,
    } as const;
    const stream = await this.#engine.open(start);
    const frames = new OutputFrames(onOutput);
    stream.on("data", (bytes: Buffer) => frames.push(bytes));
    await once(stream, "close");
    const seen = { method: "GET", path: `/exec/${exec.Id}/json`, deadlineMs } as const;
    const { ExitCode } = await this.#engine.json<{ ExitCode: number }>(seen);
    if (ExitCode !== 0) throw new Error(`Docker's command ended with ${ExitCode}.`);
  }

  remove(id: string): Promise<string> {
    return this.#track(
      this.#engine.text({ method: "DELETE", path: `/containers/${id}?force=1&v=1`, deadlineMs }),
    );
  }

  async version(): Promise<string> {
    const call = { method: "GET", path: "/version", deadlineMs } as const;
    const { Version } = await this.#engine.json<{ Version: string }>(call);
    return `Docker ${Version}`;
  }

  /** Removes what a run that was killed has left: its containers have ended by themselves meanwhile. */
  async sweep(): Promise<void> {
    for (const id of await this.#list({ label: [label], status: ["exited"] })) await this.remove(id);
  }

  /** Removes what this run still has, also what is only being made. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
    for (const id of await this.#list({ label: [`${label}=${this.#mark}`] })) await this.remove(id);
    this.#engine.close();
  }

  async #list(filters: Record<string, string[]>): Promise<string[]> {
    const path = `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const found = await this.#engine.json<{ Id: string }[]>({ method: "GET", path, deadlineMs });
    return found.map(({ Id }) => Id);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    void work.catch(() => undefined).finally(() => this.#underWay.delete(work));
    return work;
  }
}

/** Takes the engine's framing of a command's output off: a head of eight bytes, the last four of them the length. */
export class OutputFrames {
  readonly #onOutput: (bytes: Buffer) => void;
  #head = Buffer.alloc(0);
  #missing = 0;

  constructor(onOutput: (bytes: Buffer) => void) {
    this.#onOutput = onOutput;
  }

  push(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0; ) {
      if (this.#missing > 0) {
        const part = rest.subarray(0, this.#missing);
        this.#missing -= part.length;
        rest = rest.subarray(part.length);
        this.#onOutput(part);
      } else {
        const wanted = frameHeadBytes - this.#head.length;
        this.#head = Buffer.concat([this.#head, rest.subarray(0, wanted)]);
        rest = rest.subarray(wanted);
        if (this.#head.length < frameHeadBytes) return;
        this.#missing = this.#head.readUInt32BE(4);
        this.#head = Buffer.alloc(0);
      }
    }
  }
}
