import { PassThrough } from "node:stream";
import type { ExecRequest, ExecResult } from "#contract/exec";
import type { EntriesQuery } from "#contract/files";
import type { HostCreate, HostPatch, LiveSandbox, SandboxEnd } from "#contract/host";
import type { ExecId, HostId, SandboxId } from "#contract/ids";
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
import { AppError, sandboxNotFound } from "#worker/errors";
import { allOf } from "#worker/middleware/body";
import { upgradedResponse } from "#worker/node-fetch";
import type {
  ArchiveWish,
  FileBody,
  Place,
  PortPlace,
  PortRequest,
  ProcessInput,
  ReadWish,
  SandboxProvider,
} from "#worker/providers/provider";
import { deleteFake, listFake, packFake, readFake, unpackFake } from "./files.ts";
import { admitFake } from "./ports.ts";
import { FakeSandbox } from "./sandbox.ts";

type Verb = keyof SandboxProvider;
type Failure = { error: unknown; isAfterwards: boolean };

/** Hosts in memory, which keep files and know a few programs; the conformance suite holds it to what a host does. */
export class FakeProvider implements SandboxProvider {
  readonly held = new Map<SandboxId, FakeSandbox>();
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
        this.held.set(spec.sandboxId, new FakeSandbox(place.hostId, { ...spec }));
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
    return this.run("metrics", async () => this.find(place).metrics(this.now()));
  }

  exec(place: Place, request: ExecRequest) {
    return this.run("exec", async () => {
      const sandbox = this.find(place);
      this.requests.push(request);
      return this.answers.shift() ?? sandbox.run(request);
    });
  }

  streamExec(place: Place, request: ExecRequest) {
    return this.run("streamExec", async () => this.find(place).stream(request));
  }

  followExec(place: Place, execId: ExecId, after: number) {
    return this.run("followExec", async () => this.find(place).follow(execId, after));
  }

  startProcess(place: Place, request: ProcessRequest) {
    return this.run("startProcess", async () => {
      const sandbox = this.find(place);
      return sandbox.processes.start(sandbox, request);
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

  attachProcess(place: Place, name: ProcessName) {
    return this.run("attachProcess", async () => {
      if (this.find(place).processes.find(name).shown.kind === "session")
        throw new AppError("process_not_found", "A session has no output of its own.");
      return upgradedResponse(new Headers(), { socket: new PassThrough(), head: Buffer.alloc(0) });
    });
  }

  createSession(place: Place, request: SessionRequest) {
    return this.run("createSession", async () => this.find(place).processes.openSession(request));
  }

  execInSession(place: Place, name: ProcessName, request: SessionExecRequest) {
    return this.run("execInSession", async () => {
      const sandbox = this.find(place);
      return sandbox.processes.runIn(sandbox, name, request);
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

  writeFile(place: Place, path: string, body: FileBody) {
    return this.run("writeFile", async () =>
      this.find(place).write(absolutePath(path), await allOf(body, 2 ** 31)),
    );
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
    return this.run("watch", async () => this.find(place).watch(absolutePath(path).replace(/\/$/, "")));
  }

  readArchive(place: Place, { path }: ArchiveWish) {
    return this.run("readArchive", async () => packFake(this.find(place).files, absolutePath(path)));
  }

  writeArchive(place: Place, { path }: ArchiveWish, body: FileBody) {
    return this.run("writeArchive", async () =>
      unpackFake(this.find(place).files, absolutePath(path), await allOf(body, 2 ** 31)),
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

  private find(place: Place): FakeSandbox {
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
