import { freeze, thaw } from "../../cgroup/freeze.ts";
import { killCgroup, terminate } from "../../cgroup/kill.ts";
import { type CgroupLimits, keepLimits, writeLimits } from "../../cgroup/limits.ts";
import { oomKills } from "../../cgroup/oom.ts";
import { type CgroupPaths, cgroupPathsOf } from "../../cgroup/paths.ts";
import { reclaim } from "../../cgroup/reclaim.ts";
import { readCpuMicros, readUsage } from "../../cgroup/usage.ts";
import { type Engine, EngineError } from "../../engine/request.ts";
import type { Finding } from "../../preflight/finding.ts";
import { inspectMember } from "../../preflight/member.ts";
import { listenForSandboxd } from "../../sandboxd/listen.ts";
import type { UidClaims } from "../../uids/claim.ts";
import { readWorkspaceUsage } from "../../workspaces/usage.ts";
import type { WorkspaceMount, Workspaces } from "../../workspaces/workspaces.ts";
import type { Expectation, FoundMember, Member, MemberSpec, Runtime, Usage } from "../runtime.ts";
import { containerConfig, label, type Slot } from "./container.ts";
import type { MemberFolders } from "./folder.ts";
import type { Architecture } from "./seccomp.ts";
import { within } from "./within.ts";

const engineDeadlineMs = 30_000;
const dialDeadlineMs = 15_000;
/** Counted from before the container exists, so a slow engine must fit into it too. */
const startDeadlineMs = 2 * engineDeadlineMs + dialDeadlineMs;

export type DockerRuntimeOptions = {
  engine: Engine;
  hostId: string;
  folders: MemberFolders;
  uids: UidClaims;
  workspaces: Workspaces;
  sandboxdPath: string;
  arch: Architecture;
};

type Inspected = { State: { Pid: number; Running: boolean; FinishedAt?: string } };
/** A container's first process, as this machine numbers it. */
type Running = { pid: number; cgroup: CgroupPaths };
type Listed = { Id: string; State: string; Created: number; Labels: Record<string, string> };

/** Sandboxes as containers of a Docker engine that shares this machine's file system and pids. */
export class DockerRuntime implements Runtime {
  readonly #options: DockerRuntimeOptions;
  readonly #running = new Map<string, Running>();

  constructor(options: DockerRuntimeOptions) {
    this.#options = options;
  }

  async start(spec: MemberSpec): Promise<Member> {
    const uid = this.#options.uids.claim(spec.memberId);
    let handle = "";
    const createdAtMs = Date.now();
    this.#options.folders.make(spec.memberId, uid);
    const dialled = listenForSandboxd({
      socketPath: this.#options.folders.socketOf(spec.memberId),
      memberId: spec.memberId,
      deadlineMs: startDeadlineMs,
    });
    // Both may fail; the second failure must not surface as an unhandled rejection.
    dialled.catch(() => undefined);
    try {
      const workspace = await this.#options.workspaces.prepare(spec.memberId);
      handle = await this.#createContainer({ ...spec, uid, hostId: this.#options.hostId }, workspace);
      await this.#options.engine.text({
        method: "POST",
        path: `/containers/${handle}/start`,
        deadlineMs: engineDeadlineMs,
      });
      const { pid, cgroup } = await this.#learnProcess(handle);
      // The engine knows no burst; with it here, a lease of the pool's own limits has nothing to write.
      writeLimits(cgroup, spec.limits);
      const { memberId, template } = spec;
      await this.#options.workspaces.attach({ memberId, uid, pid }, workspace);
      const connection = await within(dialled, dialDeadlineMs);
      return {
        memberId,
        uid,
        template: template.name,
        templateDigest: template.digest,
        handle,
        createdAtMs,
        connection,
      };
    } catch (cause) {
      dialled.then((connection) => connection.close()).catch(() => undefined);
      await this.remove({ handle, memberId: spec.memberId, uid });
      throw cause;
    }
  }

  async #createContainer(spec: Slot, workspace: WorkspaceMount): Promise<string> {
    const paths = {
      sandboxd: this.#options.sandboxdPath,
      folder: this.#options.folders.pathOf(spec.memberId),
      workspace,
    };
    const created = await this.#options.engine.json<{ Id: string }>({
      method: "POST",
      path: `/containers/create?name=sandgate-${spec.memberId}`,
      body: containerConfig(spec, paths, this.#options.arch),
      deadlineMs: engineDeadlineMs,
    });
    return created.Id;
  }

  async #learnProcess(handle: string): Promise<Running> {
    const path = `/containers/${handle}/json`;
    const { State } = await this.#options.engine.json<Inspected>({
      method: "GET",
      path,
      deadlineMs: engineDeadlineMs,
    });
    if (!State.Running || State.Pid === 0) throw new Error("The container ended as soon as it began.");
    const running = { pid: State.Pid, cgroup: cgroupPathsOf(State.Pid, handle) };
    this.#running.set(handle, running);
    return running;
  }

  async list(): Promise<FoundMember[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`${label.host}=${this.#options.hostId}`] }));
    const path = `/containers/json?all=1&filters=${filters}`;
    const found = await this.#options.engine.json<Listed[]>({
      method: "GET",
      path,
      deadlineMs: engineDeadlineMs,
    });
    return found.map(({ Id, State, Created, Labels }) => ({
      memberId: Labels[label.member] ?? "",
      uid: Number(Labels[label.slot] ?? 0),
      template: Labels[label.templateName] ?? "",
      templateDigest: Labels[label.template] ?? "",
      handle: Id,
      createdAtMs: Created * 1_000,
      isRunning: State === "running",
    }));
  }

  async adopt(found: FoundMember, expect: Expectation | undefined): Promise<Member> {
    const { pid, cgroup } = await this.#learnProcess(found.handle);
    thaw(cgroup);
    await this.#options.workspaces.adopt({ memberId: found.memberId, pid }, expect === undefined);
    const connection = await listenForSandboxd({
      socketPath: this.#options.folders.socketOf(found.memberId),
      memberId: found.memberId,
      ...(expect && { expect }),
      deadlineMs: dialDeadlineMs,
    });
    const { memberId, uid, template, templateDigest, handle, createdAtMs } = found;
    return { memberId, uid, template, templateDigest, handle, createdAtMs, connection };
  }

  async kill({ handle }: Pick<Member, "handle">): Promise<void> {
    const running = this.#running.get(handle);
    if (running && !(await killCgroup(running.cgroup)))
      throw new Error("The container's processes do not end.");
  }

  async remove(member: Pick<Member, "handle" | "memberId" | "uid">): Promise<void> {
    // One that a former host had parked is frozen, and the engine's removal would wait for it in vain.
    if (member.handle !== "" && !this.#running.has(member.handle))
      await this.#learnProcess(member.handle).catch(() => undefined);
    // What the cgroup kill leaves, the engine's forced removal ends, or refuses.
    await this.kill(member).catch(() => undefined);
    if (member.handle !== "") await this.#removeContainer(member.handle);
    this.#running.delete(member.handle);
    await this.#options.workspaces.remove(member.memberId);
    this.#options.folders.remove(member.memberId);
    // Last: while the container exists its processes may still hold the uid.
    this.#options.uids.release(member.uid);
  }

  async #removeContainer(handle: string): Promise<void> {
    try {
      const path = `/containers/${handle}?force=1&v=1`;
      await this.#options.engine.text({ method: "DELETE", path, deadlineMs: engineDeadlineMs });
    } catch (cause) {
      // 404: removed already. A removal that somebody else has under way (409) is not done: the sweep looks again.
      if (!(cause instanceof EngineError && cause.status === 404)) throw cause;
    }
  }

  async label({ handle }: Pick<Member, "handle">, name: string): Promise<void> {
    const path = `/containers/${handle}/rename?name=${encodeURIComponent(name)}`;
    await this.#options.engine.text({ method: "POST", path, deadlineMs: engineDeadlineMs });
  }

  #runningOf(handle: string): Running {
    const running = this.#running.get(handle);
    if (!running) throw new Error("The container's process is not known.");
    return running;
  }

  applyLimits({ handle }: Pick<Member, "handle">, limits: CgroupLimits): void {
    writeLimits(this.#runningOf(handle).cgroup, limits);
  }

  keepLimits({ handle }: Pick<Member, "handle">, limits: CgroupLimits): string[] {
    return keepLimits(this.#runningOf(handle).cgroup, limits);
  }

  grantDisk({ memberId }: Pick<Member, "memberId">, wantedMiB: number): number {
    return this.#options.workspaces.grant(memberId, wantedMiB);
  }

  fitDisk(member: Pick<Member, "handle" | "memberId" | "uid">, diskMiB: number): Promise<void> {
    const { memberId, uid, handle } = member;
    return this.#options.workspaces.fit({ memberId, uid, pid: this.#runningOf(handle).pid }, diskMiB);
  }

  async park({ handle }: Pick<Member, "handle">): Promise<boolean> {
    const { cgroup: paths } = this.#runningOf(handle);
    const isFrozen = await freeze(paths);
    if (isFrozen) await reclaim(paths);
    else thaw(paths);
    return isFrozen;
  }

  thaw({ handle }: Pick<Member, "handle">): void {
    thaw(this.#runningOf(handle).cgroup);
  }

  oomKills({ handle }: Pick<Member, "handle">): number {
    return oomKills(this.#runningOf(handle).cgroup);
  }

  usage({ handle }: Pick<Member, "handle">): Usage {
    const { pid, cgroup } = this.#runningOf(handle);
    // The control group comes last: while it is there, so was the process whose number is used before.
    return { workspace: readWorkspaceUsage(pid), ...readUsage(cgroup) };
  }

  cpuMicros({ handle }: Pick<Member, "handle">): number {
    return readCpuMicros(this.#runningOf(handle).cgroup);
  }

  terminate({ handle, uid }: Pick<Member, "handle" | "uid">): Promise<void> {
    return terminate(this.#runningOf(handle).cgroup, uid);
  }

  async finishedAtMs({ handle }: Pick<Member, "handle">): Promise<number | undefined> {
    const path = `/containers/${handle}/json`;
    const { State } = await this.#options.engine.json<Inspected>({
      method: "GET",
      path,
      deadlineMs: engineDeadlineMs,
    });
    const finishedAtMs = Date.parse(State.FinishedAt ?? "");
    // The engine's zero is a date of the year 1.
    return finishedAtMs > 0 ? finishedAtMs : undefined;
  }

  async inspect({ handle }: Pick<Member, "handle">, limits: CgroupLimits): Promise<Finding[]> {
    const { cgroup } = this.#runningOf(handle);
    return [...(await inspectMember({ cgroup, limits })), this.#options.workspaces.finding()];
  }

  async sweep(alive: ReadonlySet<string>): Promise<void> {
    this.#options.folders.sweep(alive);
    this.#options.uids.sweep(alive);
    await this.#options.workspaces.sweep(alive);
  }
}
