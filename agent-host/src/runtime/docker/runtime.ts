import { freeze, thaw } from "../../cgroup/freeze.ts";
import { killCgroup } from "../../cgroup/kill.ts";
import { type CgroupLimits, writeLimits } from "../../cgroup/limits.ts";
import { oomKills } from "../../cgroup/oom.ts";
import { type CgroupPaths, cgroupPathsOf } from "../../cgroup/paths.ts";
import { reclaim } from "../../cgroup/reclaim.ts";
import { readUsage, type Usage } from "../../cgroup/usage.ts";
import { type Engine, EngineError } from "../../engine/request.ts";
import type { Finding } from "../../preflight/finding.ts";
import { inspectMember } from "../../preflight/member.ts";
import { SandboxdError } from "../../sandboxd/error.ts";
import { listenForSandboxd } from "../../sandboxd/listen.ts";
import type { UidClaims } from "../../uids/claim.ts";
import type { Expectation, FoundMember, Member, MemberSpec, Runtime } from "../runtime.ts";
import { containerConfig, label, type Slot } from "./container.ts";
import type { MemberFolders } from "./folder.ts";
import type { Architecture } from "./seccomp.ts";

const engineDeadlineMs = 30_000;
const dialDeadlineMs = 15_000;
/** Counted from before the container exists, so a slow engine must fit into it too. */
const startDeadlineMs = 2 * engineDeadlineMs + dialDeadlineMs;

export type DockerRuntimeOptions = {
  engine: Engine;
  hostId: string;
  folders: MemberFolders;
  uids: UidClaims;
  sandboxdPath: string;
  propagation: "rslave" | "rprivate";
  arch: Architecture;
};

type Inspected = { State: { Pid: number; Running: boolean } };
type Listed = { Id: string; State: string; Created: number; Labels: Record<string, string> };

/** Sandboxes as containers of a Docker engine that shares this machine's file system and pids. */
export class DockerRuntime implements Runtime {
  readonly #options: DockerRuntimeOptions;
  readonly #cgroups = new Map<string, CgroupPaths>();

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
      handle = await this.#createContainer({ ...spec, uid, hostId: this.#options.hostId });
      await this.#options.engine.text({
        method: "POST",
        path: `/containers/${handle}/start`,
        deadlineMs: engineDeadlineMs,
      });
      await this.#learnCgroup(handle);
      const { memberId, template } = spec;
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

  async #createContainer(spec: Slot): Promise<string> {
    const paths = {
      sandboxd: this.#options.sandboxdPath,
      folder: this.#options.folders.pathOf(spec.memberId),
      propagation: this.#options.propagation,
    };
    const created = await this.#options.engine.json<{ Id: string }>({
      method: "POST",
      path: `/containers/create?name=sandgate-${spec.memberId}`,
      body: containerConfig(spec, paths, this.#options.arch),
      deadlineMs: engineDeadlineMs,
    });
    return created.Id;
  }

  async #learnCgroup(handle: string): Promise<void> {
    const path = `/containers/${handle}/json`;
    const { State } = await this.#options.engine.json<Inspected>({
      method: "GET",
      path,
      deadlineMs: engineDeadlineMs,
    });
    if (!State.Running || State.Pid === 0) throw new Error("The container ended as soon as it began.");
    this.#cgroups.set(handle, cgroupPathsOf(State.Pid, handle));
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
    await this.#learnCgroup(found.handle);
    thaw(this.#cgroupOf(found.handle));
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
    const paths = this.#cgroups.get(handle);
    if (paths && !(await killCgroup(paths))) throw new Error("The container's processes do not end.");
  }

  async remove(member: Pick<Member, "handle" | "memberId" | "uid">): Promise<void> {
    // One that a former host had parked is frozen, and the engine's removal would wait for it in vain.
    if (member.handle !== "" && !this.#cgroups.has(member.handle))
      await this.#learnCgroup(member.handle).catch(() => undefined);
    // What the cgroup kill leaves, the engine's forced removal ends, or refuses.
    await this.kill(member).catch(() => undefined);
    if (member.handle !== "") await this.#removeContainer(member.handle);
    this.#cgroups.delete(member.handle);
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

  #cgroupOf(handle: string): CgroupPaths {
    const paths = this.#cgroups.get(handle);
    if (!paths) throw new Error("The container's cgroup is not known.");
    return paths;
  }

  applyLimits({ handle }: Pick<Member, "handle">, limits: CgroupLimits): void {
    writeLimits(this.#cgroupOf(handle), limits);
  }

  async park({ handle }: Pick<Member, "handle">): Promise<boolean> {
    const paths = this.#cgroupOf(handle);
    const isFrozen = await freeze(paths);
    if (isFrozen) await reclaim(paths);
    else thaw(paths);
    return isFrozen;
  }

  thaw({ handle }: Pick<Member, "handle">): void {
    thaw(this.#cgroupOf(handle));
  }

  oomKills({ handle }: Pick<Member, "handle">): number {
    return oomKills(this.#cgroupOf(handle));
  }

  usage({ handle }: Pick<Member, "handle">): Usage {
    return readUsage(this.#cgroupOf(handle));
  }

  inspect(
    { handle, memberId }: Pick<Member, "handle" | "memberId">,
    limits: CgroupLimits,
  ): Promise<Finding[]> {
    const folder = this.#options.folders.pathOf(memberId);
    return inspectMember({ cgroup: this.#cgroupOf(handle), folder, limits });
  }

  sweep(alive: ReadonlySet<string>): void {
    this.#options.folders.sweep(alive);
    this.#options.uids.sweep(alive);
  }
}

async function within<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SandboxdError("deadline", "sandboxd did not dial in time.")),
      deadlineMs,
    );
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
