import type { CgroupLimits } from "../cgroup/limits.ts";
import type { CgroupUsage } from "../cgroup/usage.ts";
import type { Finding } from "../preflight/finding.ts";
import type { SandboxdConnection } from "../sandboxd/connection.ts";
import type { WorkspaceUsage } from "../workspaces/usage.ts";

export type Usage = CgroupUsage & { workspace: WorkspaceUsage };

/** What a new member of the pool is made from. */
export type MemberSpec = {
  memberId: string;
  template: TemplateImage;
  limits: CgroupLimits;
};

export type TemplateImage = {
  name: string;
  digest: string;
  image: string;
  /** What must end with 0 in a member before it counts as warm. */
  readyCommand?: string | undefined;
};

/** A container that runs and whose sandboxd has dialled home. */
export type Member = {
  readonly memberId: string;
  /** The tenant uid, unique on this machine while the member lives. */
  readonly uid: number;
  readonly template: string;
  readonly templateDigest: string;
  /** The runtime's own name for it. */
  readonly handle: string;
  /** By the engine's clock, which is this machine's. */
  readonly createdAtMs: number;
  readonly connection: SandboxdConnection;
};

/** What a restarted host finds: a container of ours, running or not, that has not been spoken to yet. */
export type FoundMember = {
  memberId: string;
  uid: number;
  template: string;
  templateDigest: string;
  handle: string;
  createdAtMs: number;
  isRunning: boolean;
};

/** What a leased member must prove when it dials a restarted host. */
export type Expectation = { sandboxId: string; generation: number; key: Buffer };

/**
 * Makes and ends sandboxes on this machine. Two implementations are meant: Docker now, crun with OCI bundles later;
 * `test/conformance/runtime` holds both, and the fake, to the same promises.
 */
export type Runtime = {
  /** Starts a container and waits for its sandboxd; on failure nothing is left of it. */
  start(spec: MemberSpec): Promise<Member>;
  /** Every container of this host, whatever its state. */
  list(): Promise<FoundMember[]>;
  /**
   * Waits for a found member to dial again; one that is parked is thawed first.
   * @throws SandboxdError when it does not, or cannot prove itself; Error when its workspace is not what it should be
   */
  adopt(found: FoundMember, expect: Expectation | undefined): Promise<Member>;
  /** @throws MemoryInUseError when more memory is in use already */
  applyLimits(member: Pick<Member, "handle">, limits: CgroupLimits): void;
  /** Writes those again that somebody has changed. @returns what was written */
  keepLimits(member: Pick<Member, "handle">, limits: CgroupLimits): string[];
  /** MiB of workspace that a lease gets which asks for so many. @throws HostError `no_capacity` */
  grantDisk(member: Pick<Member, "memberId">, wantedMiB: number): number;
  /** Gives an unused member a workspace of the granted size; nothing to do where it has the size of all. */
  fitDisk(member: Pick<Member, "handle" | "memberId" | "uid">, diskMiB: number): Promise<void>;
  /** Tries on a member what leases will rely on, one finding for each. */
  inspect(member: Pick<Member, "handle">, limits: CgroupLimits): Promise<Finding[]>;
  /** Processes that the kernel has killed for memory in this member so far. */
  oomKills(member: Pick<Member, "handle">): number;
  /** What this member has used so far, and what its workspace holds. @throws Error when it is gone */
  usage(member: Pick<Member, "handle">): Usage;
  /** Processor time that this member has used so far. @throws Error when it is gone */
  cpuMicros(member: Pick<Member, "handle">): number;
  /** When a container that does not run any more ended, by the engine's clock; `undefined` when nobody knows. */
  finishedAtMs(member: Pick<Member, "handle">): Promise<number | undefined>;
  /** Sends SIGTERM to every process of the tenant. */
  terminate(member: Pick<Member, "handle" | "uid">): Promise<void>;
  /** Ends every process at once; the container's remains are removed by `remove`. */
  kill(member: Pick<Member, "handle">): Promise<void>;
  /** Removes every trace: container, disk, sockets, uid. Safe to call again. */
  remove(member: Pick<Member, "handle" | "memberId" | "uid">): Promise<void>;
  /**
   * Freezes an unused member and gives its page cache back to the machine.
   * @returns whether it is frozen; otherwise it runs as before
   */
  park(member: Pick<Member, "handle">): Promise<boolean>;
  /** Lets a parked member go on, at once. */
  thaw(member: Pick<Member, "handle">): void;
  /** Gives the container a name for people. Failure does not matter. */
  label(member: Pick<Member, "handle">, name: string): Promise<void>;
  /** Removes what no container of this host stands behind any more: folders, sockets, uids, disks. */
  sweep(alive: ReadonlySet<string>): Promise<void>;
};
