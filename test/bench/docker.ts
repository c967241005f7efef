import { once } from "node:events";
import { createEngine, type Engine } from "#host/engine/request";

const deadlineMs = 60_000;

/** Plain Docker through the engine's API, as the baseline: no CLI start-up is counted against it. */
export class PlainDocker {
  readonly #engine: Engine;
  readonly #image: string;

  constructor(socketPath: string, image: string) {
    this.#engine = createEngine(socketPath);
    this.#image = image;
  }

  /** What `docker run -d` does. @returns the container's id */
  async run(): Promise<string> {
    const created = await this.#engine.json<{ Id: string }>({
      method: "POST",
      path: "/containers/create",
      body: {
        Image: this.#image,
        Entrypoint: ["sleep", "600"],
        Labels: { "sandgate.bench": "baseline" },
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

  /** What `docker exec` does: the command's exit code is known when this resolves. */
  async exec(id: string, command: string[]): Promise<number> {
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
    stream.resume();
    await once(stream, "close");
    const seen = { method: "GET", path: `/exec/${exec.Id}/json`, deadlineMs } as const;
    return (await this.#engine.json<{ ExitCode: number }>(seen)).ExitCode;
  }

  async remove(id: string): Promise<void> {
    await this.#engine.text({ method: "DELETE", path: `/containers/${id}?force=1&v=1`, deadlineMs });
  }

  /** Removes what a benchmark that was cut short has left. */
  async close(): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ label: ["sandgate.bench=baseline"] }));
    const path = `/containers/json?all=1&filters=${filters}`;
    const left = await this.#engine.json<{ Id: string }[]>({ method: "GET", path, deadlineMs });
    for (const { Id } of left) await this.remove(Id);
    this.#engine.close();
  }
}
