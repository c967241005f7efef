import { eventFrame } from "#contract/events";
import type { ExecRequest, ExecResult, OutputEvent } from "#contract/exec";
import type { EntriesQuery } from "#contract/files";
import type { HostCreate, HostPatch, LiveSandbox, SandboxEnd } from "#contract/host";
import { type ExecId, type HostId, newExecId, type SandboxId } from "#contract/ids";
import type { MetricsSample } from "#contract/metrics";
import type {
  ProcessName,
  ProcessRequest,
  SessionExecRequest,
  SessionRequest,
  SignalRequest,
  TerminalSize,
} from "#contract/process";
import { absolutePath } from "#contract/text";
import type { WatchQuery } from "#contract/watch";
import { readBounded } from "#worker/bytes";
import { AppError, sandboxNotFound } from "#worker/errors";
import type {
  ArchiveWish,
  Place,
  PortPlace,
  PortRequest,
  ProcessInput,
  ReadWish,
  SandboxProvider,
} from "#worker/providers/provider";
import { deleteFake, listFake, packFake, readFake, unpackFake } from "./files.ts";
import { admitFake } from "./ports.ts";
import { FakeProcesses } from "./processes.ts";
import { runProgram } from "./programs.ts";
import { type Watcher, watchFake } from "./watch.ts";

type Held = {
  hostId: HostId;
  spec: HostCreate;
  files: Map<string, Uint8Array>;
  /** Of each command that was streamed. */
  events: Map<ExecId, string[]>;
  processes: FakeProcesses;
  watchers: Set<Watcher>;
};
type Verb = keyof SandboxProvider;
type Failure = { error: unknown; isAfterwards: boolean };

/** Hosts in memory, which keep files and know a few programs; the conformance suite holds it to what a host does. */
export class FakeProvider implements SandboxProvider {
  readonly held = new Map<SandboxId, Held>();
  readonly calls: Verb[] = [];
  /** What listens in every sandbox, by port. */
  readonly servers = new Map<number, (request: PortRequest) => Response | Promise<Response>>();
  /** The commands that came, as they came. */
  readonly requests: ExecRequest[] = [];
  capacity = Number.POSITIVE_INFINITY;
  private readonly now: () => number;
  private readonly failures = new Map<Verb, Failure[]>();
  private readonly answers: ExecResult[] = [];
  private readonly gates = new Map<Verb, Promise<unknown>[]>();

  constructor(now: () => number) {
    this.now = now;
  }

  /** The next call of this verb throws; `isAfterwards` = when its work has been done already. */
  failNext(verb: Verb, error: unknown, isAfterwards = false): void {
    this.failures.set(verb, [...(this.failures.get(verb) ?? []), { error, isAfterwards }]);
  }

  /** The next call of this verb does its work once the gate opens. */
  holdNext(verb: Verb, gate: Promise<unknown>): void {
    this.gates.set(verb, [...(this.gates.get(verb) ?? []), gate]);
  }

  /** The next command answers this, whatever it is. */
  answerNext(result: ExecResult): void {
    this.answers.push(result);
  }

  liveOn(hostId: HostId): LiveSandbox[] {
    return [...this.held.values()]
      .filter((held) => held.hostId === hostId)
      .map(({ spec: { sandboxId, generation, expiresAtMs } }) => ({ sandboxId, generation, expiresAtMs }));
  }

  create(place: Place, spec: HostCreate) {
    return this.run("create", async () => {
      if (!this.held.has(spec.sandboxId)) {
        if (this.held.size >= this.capacity) throw new AppError("no_capacity", "The host is full.");
        this.held.set(spec.sandboxId, {
          hostId: place.hostId,
          spec: { ...spec },
          files: new Map(),
          events: new Map(),
          processes: new FakeProcesses(),
          watchers: new Set(),
        });
      }
      return {
        sandboxId: spec.sandboxId,
        generation: spec.generation,
        source: "pool" as const,
        diskMiB: spec.diskMiB,
        leaseMs: 1,
      };
    });
  }

  kill(place: Place, generation: number): Promise<SandboxEnd | null> {
    return this.run("kill", async () => {
      const held = this.held.get(place.sandboxId);
      if (!held || held.spec.generation !== generation || held.spec.tenantId !== place.tenantId) return null;
      this.held.delete(place.sandboxId);
      return { sandboxId: place.sandboxId, generation, endReason: "killed", endedAtMs: this.now() };
    });
  }

  patch(place: Place, generation: number, patch: HostPatch): Promise<void> {
    return this.run("patch", async () => {
      const held = this.find(place);
      if (held.spec.generation !== generation) throw sandboxNotFound();
      held.spec.expiresAtMs = patch.expiresAtMs;
      const { budget } = held.spec;
      if (budget && patch.capMicros !== undefined)
        held.spec.budget = { ...budget, capMicros: patch.capMicros };
    });
  }

  metrics(place: Place) {
    return this.run("metrics", async () => {
      const { cpu, memoryMiB } = this.find(place).spec;
      const current: MetricsSample = {
        at: new Date(this.now()).toISOString(),
        cpuMs: 1,
        cpuPercent: 0,
        memoryBytes: 4096,
        processes: 1,
        readBytes: 0,
        writtenBytes: 0,
      };
      const memoryLimitBytes = memoryMiB * 2 ** 20;
      return { cpu, memoryLimitBytes, processesLimit: 256, current, intervalSeconds: 5, history: [] };
    });
  }

  exec(place: Place, request: ExecRequest) {
    return this.run("exec", async () => {
      const { spec, files } = this.find(place);
      this.requests.push(request);
      return this.answers.shift() ?? runProgram({ env: spec.env, files }, request);
    });
  }

  streamExec(place: Place, request: Parameters<SandboxProvider["exec"]>[1]) {
    return this.run("streamExec", async () => {
      const { spec, files, events } = this.find(place);
      const { stdout, stderr: _, ...exit } = runProgram({ env: spec.env, files }, request);
      const frames = [
        ...(stdout === "" ? [] : [(id: number) => eventFrame("stdout", textOf(stdout, id), id)]),
        (id: number) => eventFrame("exit", exit, id),
      ].map((frame, index) => frame(index + 1));
      const execId = newExecId();
      events.set(execId, frames);
      return { execId, stream: new Blob(frames).stream() };
    });
  }

  followExec(place: Place, execId: ExecId, after: number) {
    return this.run("followExec", async () => {
      const frames = this.find(place).events.get(execId);
      if (!frames) throw new AppError("exec_not_found", "There is no such command.");
      return { execId, stream: new Blob(frames.slice(Math.min(after, frames.length - 1))).stream() };
    });
  }

  startProcess(place: Place, request: ProcessRequest) {
    return this.run("startProcess", async () => {
      const { spec, files, processes } = this.find(place);
      const run = ({ stdin: _, pty: _pty, ...rest }: ProcessRequest) =>
        runProgram({ env: spec.env, files }, rest);
      return processes.start({ run }, request);
    });
  }

  listProcesses(place: Place) {
    return this.run("listProcesses", async () => ({ items: this.find(place).processes.list() }));
  }

  getProcess(place: Place, name: ProcessName) {
    return this.run("getProcess", async () => this.find(place).processes.find(name).shown);
  }

  killProcess(place: Place, name: ProcessName) {
    return this.run("killProcess", async () => this.find(place).processes.find(name).kill(9));
  }

  writeInput(place: Place, name: ProcessName, { bytes, isLast }: ProcessInput) {
    return this.run("writeInput", async () => this.find(place).processes.find(name).write(bytes, isLast));
  }

  createSession(place: Place, request: SessionRequest) {
    return this.run("createSession", async () => this.find(place).processes.openSession(request));
  }

  execInSession(place: Place, name: ProcessName, request: SessionExecRequest) {
    return this.run("execInSession", async () => {
      const { spec, files, processes } = this.find(place);
      const run = ({ stdin: _, pty: _pty, ...rest }: ProcessRequest) =>
        runProgram({ env: spec.env, files }, rest);
      return processes.runIn({ run }, name, request);
    });
  }

  resizeProcess(place: Place, name: ProcessName, size: TerminalSize) {
    return this.run("resizeProcess", async () => this.find(place).processes.find(name).resize(size));
  }

  signalProcess(place: Place, name: ProcessName, { signal }: SignalRequest) {
    return this.run("signalProcess", async () => this.find(place).processes.find(name).signal(signal));
  }

  followProcess(place: Place, name: ProcessName, after: number) {
    return this.run("followProcess", async () => {
      const process = this.find(place).processes.find(name);
      return { execId: process.id, stream: process.follow(after) };
    });
  }

  readFile(place: Place, path: string, wish: ReadWish) {
    return this.run("readFile", async () => readFake(this.find(place).files, absolutePath(path), wish));
  }

  writeFile(place: Place, path: string, body: { stream: ReadableStream<Uint8Array> }) {
    return this.run("writeFile", async () => {
      const { files, watchers } = this.find(place);
      const bytes = await readBounded(body.stream, 2 ** 31);
      files.set(absolutePath(path), bytes);
      for (const tell of watchers) tell("create", absolutePath(path));
      return { path: absolutePath(path), size: bytes.byteLength, mode: "0644" };
    });
  }

  deleteFile(place: Place, { path, recursive }: { path: string; recursive: boolean }) {
    return this.run("deleteFile", async () =>
      deleteFake(this.find(place).files, absolutePath(path), recursive),
    );
  }

  listEntries(place: Place, query: EntriesQuery) {
    return this.run("listEntries", async () => listFake(this.find(place).files, query));
  }

  watch(place: Place, { path }: WatchQuery) {
    return this.run("watch", async () => {
      const { files, watchers } = this.find(place);
      const watched = absolutePath(path).replace(/\/$/, "");
      const isThere = watched === "/home/user" || [...files.keys()].some((file) => file.startsWith(watched));
      if (!isThere) throw new AppError("file_not_found", "There is nothing at this path.");
      return watchFake(watchers, watched);
    });
  }

  readArchive(place: Place, { path }: ArchiveWish) {
    return this.run("readArchive", async () => packFake(this.find(place).files, absolutePath(path)));
  }

  writeArchive(place: Place, { path }: ArchiveWish, body: { stream: ReadableStream<Uint8Array> }) {
    return this.run("writeArchive", async () =>
      unpackFake(this.find(place).files, absolutePath(path), await readBounded(body.stream, 2 ** 31)),
    );
  }

  requestPort(place: PortPlace, request: PortRequest) {
    return this.run("requestPort", async () => {
      admitFake(this.held.get(place.sandboxId)?.spec, place);
      const server = this.servers.get(request.port);
      if (!server) throw new AppError("port_closed", "Nothing listens on this port.");
      return server(request);
    });
  }

  private find(place: Place): Held {
    const held = this.held.get(place.sandboxId);
    if (!held || held.spec.tenantId !== place.tenantId) throw sandboxNotFound();
    return held;
  }

  private async run<T>(verb: Verb, work: () => Promise<T>): Promise<T> {
    this.calls.push(verb);
    const failure = this.failures.get(verb)?.shift();
    await this.gates.get(verb)?.shift();
    if (failure && !failure.isAfterwards) throw failure.error;
    const done = await work();
    if (failure) throw failure.error;
    return done;
  }
}

const textOf = (data: string, seq: number): OutputEvent => ({ seq, data, encoding: "utf8" });
