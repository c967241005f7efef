import type { CgroupLimits } from "#host/cgroup/limits";
import type { Finding } from "#host/preflight/finding";
import type { Expectation, FoundMember, Member, MemberSpec, Runtime, Usage } from "#host/runtime/runtime";
import { SandboxdError } from "#host/sandboxd/error";
import { FakeSandboxd } from "./sandboxd.ts";

type Container = { found: FoundMember; daemon: FakeSandboxd };

/** A machine in memory; it outlives the hosts that use it, as containers outlive an agent-host. */
export class FakeRuntime implements Runtime {
  readonly containers = new Map<string, Container>();
  readonly names = new Map<string, string>();
  readonly #now: () => number;
  /** By handle: what leases were given. */
  readonly limits = new Map<string, CgroupLimits>();
  readonly disksMiB = new Map<string, number>();
  /** By handle: processor time that a test has it use, and who was asked to end. */
  readonly cpuMicrosUsed = new Map<string, number>();
  readonly terminated: string[] = [];
  readonly #finishedAtMs = new Map<string, number>();
  #nextUid = 20_000;
  #failures: unknown[] = [];

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The next start fails with this cause. */
  failNextStart(cause: unknown): void {
    this.#failures.push(cause);
  }

  daemonOf(memberId: string): FakeSandboxd {
    const container = this.containers.get(`c-${memberId}`);
    if (!container) throw new Error(`There is no member ${memberId}.`);
    return container.daemon;
  }

  async start(spec: MemberSpec): Promise<Member> {
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
    const { memberId, template } = spec;
    const handle = `c-${memberId}`;
    const found: FoundMember = {
      memberId,
      uid: this.#nextUid++,
      template: template.name,
      templateDigest: template.digest,
      handle,
      createdAtMs: this.#now(),
      isRunning: true,
    };
    const daemon = new FakeSandboxd(memberId);
    this.containers.set(handle, { found, daemon });
    return this.#member(found, daemon, undefined);
  }

  async list(): Promise<FoundMember[]> {
    return [...this.containers.values()].map(({ found, daemon }) => ({
      ...found,
      isRunning: daemon.isAlive,
    }));
  }

  async adopt(found: FoundMember, expect: Expectation | undefined): Promise<Member> {
    const container = this.containers.get(found.handle);
    if (!container) throw new SandboxdError("deadline", "nobody dialled");
    container.daemon.isFrozen = false;
    return this.#member(container.found, container.daemon, expect);
  }

  #member(found: FoundMember, daemon: FakeSandboxd, expect: Expectation | undefined): Member {
    const { memberId, uid, template, templateDigest, handle, createdAtMs } = found;
    const connection = daemon.dial(expect);
    return { memberId, uid, template, templateDigest, handle, createdAtMs, connection };
  }

  async park({ handle }: Pick<Member, "handle">): Promise<boolean> {
    const daemon = this.containers.get(handle)?.daemon;
    if (daemon) daemon.isFrozen = true;
    return daemon !== undefined;
  }
  thaw({ handle }: Pick<Member, "handle">): void {
    const daemon = this.containers.get(handle)?.daemon;
    if (daemon) daemon.isFrozen = false;
  }
  applyLimits({ handle }: Pick<Member, "handle">, limits: CgroupLimits): void {
    this.limits.set(handle, limits);
  }
  keepLimits({ handle }: Pick<Member, "handle">, limits: CgroupLimits): string[] {
    const { cpu, memoryMiB, pids } = limits;
    const now = this.limits.get(handle);
    this.limits.set(handle, limits);
    return now?.cpu === cpu && now.memoryMiB === memoryMiB && now.pids === pids ? [] : ["limits"];
  }
  grantDisk(_member: Pick<Member, "memberId">, wantedMiB: number): number {
    return wantedMiB;
  }
  async fitDisk({ handle }: Pick<Member, "handle">, diskMiB: number): Promise<void> {
    this.disksMiB.set(handle, diskMiB);
  }
  async inspect(): Promise<Finding[]> {
    return [];
  }
  oomKills(): number {
    return 0;
  }

  usage({ handle }: Pick<Member, "handle">): Usage {
    if (!this.containers.has(handle)) throw new Error("The member is gone.");
    const workspace = { bytes: 0, inodes: 1, limitBytes: 2 ** 30, inodesLimit: 65_536 };
    return { cpuMicros: 1_000, memoryBytes: 4096, processes: 1, readBytes: 0, writtenBytes: 0, workspace };
  }

  cpuMicros({ handle }: Pick<Member, "handle">): number {
    if (!this.containers.get(handle)?.daemon.isAlive) throw new Error("The member is gone.");
    return this.cpuMicrosUsed.get(handle) ?? 0;
  }

  async finishedAtMs({ handle }: Pick<Member, "handle">): Promise<number | undefined> {
    return this.#finishedAtMs.get(handle);
  }

  async terminate({ handle }: Pick<Member, "handle">): Promise<void> {
    this.terminated.push(handle);
  }

  /** Its processes end by themselves or by somebody else's hand, at this time by the engine's clock. */
  die({ handle }: Pick<Member, "handle">, atMs: number = this.#now()): void {
    this.#finishedAtMs.set(handle, atMs);
    this.containers.get(handle)?.daemon.die();
  }

  async kill({ handle }: Pick<Member, "handle">): Promise<void> {
    if (this.containers.get(handle)?.daemon.isAlive) this.die({ handle });
  }

  async remove(member: Pick<Member, "handle" | "memberId" | "uid">): Promise<void> {
    await this.kill(member);
    this.containers.delete(member.handle);
  }

  async label({ handle }: Pick<Member, "handle">, name: string): Promise<void> {
    this.names.set(handle, name);
  }
  async sweep(_alive: ReadonlySet<string>): Promise<void> {}
}
