import type { ExecRequest, ExecResult } from "#contract/exec";
import type { HostCreate } from "#contract/host";
import { type ExecId, type HostId, newExecId } from "#contract/ids";
import type { MetricsSample, SandboxMetrics } from "#contract/metrics";
import type { ProcessRequest } from "#contract/process";
import { AppError } from "#worker/errors";
import { FakeOutput } from "./output.ts";
import { FakeProcesses } from "./processes.ts";
import { runProgram } from "./programs.ts";
import { type Watcher, watchFake } from "./watch.ts";

/** One sandbox of the fake hosts. */
export class FakeSandbox {
  readonly hostId: HostId;
  readonly spec: HostCreate;
  readonly files = new Map<string, Uint8Array>();
  readonly processes = new FakeProcesses();
  /** Of each command that was streamed. */
  readonly #streams = new Map<ExecId, FakeOutput>();
  readonly #watchers = new Set<Watcher>();

  constructor(hostId: HostId, spec: HostCreate) {
    this.hostId = hostId;
    this.spec = spec;
  }

  metrics(nowMs: number): SandboxMetrics {
    const { cpu, memoryMiB, diskMiB } = this.spec;
    const current: MetricsSample = {
      at: new Date(nowMs).toISOString(),
      cpuMs: 1,
      cpuPercent: 0,
      memoryBytes: 4096,
      processes: 1,
      readBytes: 0,
      writtenBytes: 0,
      workspaceBytes: 0,
      workspaceInodes: 1,
    };
    const memoryLimitBytes = memoryMiB * 2 ** 20;
    return {
      cpu,
      memoryLimitBytes,
      processesLimit: 256,
      workspaceLimitBytes: diskMiB * 2 ** 20,
      workspaceInodesLimit: 65_536,
      current,
      intervalSeconds: 5,
      history: [],
    };
  }

  run({ stdin, ...request }: ExecRequest | ProcessRequest): ExecResult {
    const machine = { env: this.spec.env, files: this.files };
    return runProgram(machine, { ...request, ...(typeof stdin === "string" && { stdin }) });
  }

  stream(request: ExecRequest): { execId: ExecId; stream: ReadableStream<Uint8Array> } {
    const { stdout, stderr: _, ...exit } = this.run(request);
    const output = new FakeOutput();
    output.print(stdout);
    output.end(exit);
    const execId = newExecId();
    this.#streams.set(execId, output);
    return { execId, stream: output.follow(0) };
  }

  follow(execId: ExecId, after: number): { execId: ExecId; stream: ReadableStream<Uint8Array> } {
    const output = this.#streams.get(execId);
    if (!output) throw new AppError("exec_not_found", "There is no such command.");
    return { execId, stream: output.follow(after) };
  }

  write(path: string, bytes: Uint8Array): { path: string; size: number; mode: string } {
    this.files.set(path, bytes);
    for (const tell of this.#watchers) tell("create", path);
    return { path, size: bytes.byteLength, mode: "0644" };
  }

  watch(watched: string): ReadableStream<Uint8Array> {
    const isThere =
      watched === "/home/user" || [...this.files.keys()].some((file) => file.startsWith(watched));
    if (!isThere) throw new AppError("file_not_found", "There is nothing at this path.");
    return watchFake(this.#watchers, watched);
  }
}
