import { readFileSync } from "node:fs";
import { HostError } from "../errors.ts";
import type { Finding } from "../preflight/finding.ts";
import type { Disks } from "./disks.ts";
import { workspaceKind } from "./mountinfo.ts";
import { testDisks } from "./self-test.ts";

export type WorkspaceDriver = "loop" | "tmpfs";

/** What a new container mounts at /workspace: a folder that its disk appears in, or memory. */
export type WorkspaceMount = { kind: "loop"; source: string } | { kind: "tmpfs"; sizeMiB: number };

export type WorkspaceOptions = {
  disks: Disks;
  /** What the operator wants; what it is may be less, and the finding says so. */
  driver: WorkspaceDriver;
  /** What a sandbox gets that asks for nothing, and every member of the pool has. */
  defaultMiB: number;
  /** Memory of a member, of which a workspace in memory takes half. */
  memoryMiB: number;
};

/** The workspaces of this host's members, on disk or in memory. */
export class Workspaces {
  readonly defaultMiB: number;
  readonly #disks: Disks;
  readonly #inMemoryMiB: number;
  readonly #sizesMiB = new Map<string, number>();
  #driver: WorkspaceDriver;
  #doubt = "";
  /** Whether a container has been seen to get its disk. */
  isProven = false;
  usedMiB = 0;

  constructor({ disks, driver, defaultMiB, memoryMiB }: WorkspaceOptions) {
    this.#disks = disks;
    this.#driver = driver;
    this.defaultMiB = defaultMiB;
    this.#inMemoryMiB = Math.min(defaultMiB, Math.floor(memoryMiB / 2));
  }

  get driver(): WorkspaceDriver {
    return this.#driver;
  }

  /**
   * Tries disks where they are wanted, and goes over to memory where they do not work.
   * @param room how much there could be for all of them
   */
  async open(room: { maxMiB: number }): Promise<void> {
    if (this.#driver === "tmpfs") return;
    if (room.maxMiB < this.defaultMiB) {
      this.use("tmpfs", `the data folder's disk has no room for ${this.defaultMiB} MiB`);
      return;
    }
    await testDisks(this.#disks).catch((cause: Error) => this.use("tmpfs", cause.message));
  }

  /** From now on; members that are there keep what they have. */
  use(driver: WorkspaceDriver, why: string): void {
    this.#driver = driver;
    this.#doubt = why;
  }

  finding(): Finding {
    const inMemory = `in memory, at most ${this.#inMemoryMiB} MiB each`;
    const status = this.#doubt === "" ? "ok" : "warning";
    const detail = this.#driver === "loop" ? "on disk, through loop devices" : inMemory;
    return { name: "workspaces", status, detail: [detail, this.#doubt].filter(Boolean).join(": ") };
  }

  /** Makes the disk that a new container is to have, while it is being made. */
  async prepare(memberId: string): Promise<WorkspaceMount> {
    if (this.#driver === "tmpfs") return { kind: "tmpfs", sizeMiB: this.#inMemoryMiB };
    await this.#disks.make(memberId, this.defaultMiB);
    return { kind: "loop", source: this.#disks.pointOf(memberId) };
  }

  /** Gives a container that runs its disk. @throws Error unless it has got it; nothing may run in there then. */
  async attach(member: { memberId: string; uid: number; pid: number }, mount: WorkspaceMount): Promise<void> {
    if (mount.kind === "tmpfs") {
      this.#sizesMiB.set(member.memberId, mount.sizeMiB);
      return;
    }
    await this.#mount(member, this.defaultMiB);
  }

  async #mount({ memberId, uid, pid }: Owner, diskMiB: number): Promise<void> {
    await this.#disks.mount(memberId, uid);
    if (kindOf(pid) !== "loop")
      throw new Error("Mounts of this machine do not reach its engine's containers.");
    this.#sizesMiB.set(memberId, diskMiB);
    this.isProven = true;
  }

  /**
   * Takes over what a container of a former life has; nothing is mounted anew.
   * @throws Error when it has lost its workspace, or is to be handed out and has not the kind that is given now
   */
  async adopt({ memberId, pid }: Omit<Owner, "uid">, isWarm: boolean): Promise<void> {
    const kind = kindOf(pid);
    if (kind === "missing") throw new Error("The container has no workspace.");
    if (isWarm && kind !== this.#driver) throw new Error(`The container's workspace is of the kind ${kind}.`);
    if (kind === "loop" && !(await this.#disks.isFinished(memberId)))
      throw new Error("The container's disk was not finished.");
    const onDiskMiB = kind === "loop" ? await this.#disks.sizeMiB(memberId) : this.#inMemoryMiB;
    if (onDiskMiB === undefined) throw new Error("The container's disk has no image.");
    this.#sizesMiB.set(memberId, onDiskMiB);
    if (kind === "loop") this.isProven = true;
  }

  /**
   * What a lease of this member gets that asks for `wantedMiB`. Memory does not grow on request, but it does for
   * those who ask for no more than everybody gets. @throws HostError `no_capacity`
   */
  grant(memberId: string, wantedMiB: number): number {
    if (this.#driver === "loop") return wantedMiB;
    const sizeMiB = this.#sizesMiB.get(memberId) ?? this.#inMemoryMiB;
    if (wantedMiB <= Math.max(sizeMiB, this.defaultMiB)) return sizeMiB;
    throw new HostError("no_capacity", "This host keeps workspaces in memory; ask for a smaller diskMiB.");
  }

  /** Gives an unused member a disk of another size, unless it has this one. Takes some 70 ms. */
  async fit(member: Owner, diskMiB: number): Promise<void> {
    const { memberId } = member;
    if (this.#driver === "tmpfs" || this.#sizesMiB.get(memberId) === diskMiB) return;
    await this.#disks.unmake(memberId);
    await this.#disks.make(memberId, diskMiB);
    await this.#mount(member, diskMiB);
  }

  async remove(memberId: string): Promise<void> {
    this.#sizesMiB.delete(memberId);
    await this.#disks.remove(memberId);
  }
  /** Looks how much of the machine's disk they take; `usedMiB` is as of the last look. */
  async look(): Promise<void> {
    this.usedMiB = await this.#disks.usedMiB();
  }
  sweep(alive: ReadonlySet<string>): Promise<void> {
    return this.#disks.sweep(alive);
  }
  close(): void {
    this.#disks.close();
  }
}

type Owner = { memberId: string; uid: number; pid: number };

/** What a process's container has, asked of the kernel. */
const kindOf = (pid: number) => workspaceKind(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
