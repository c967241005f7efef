import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { SandboxEnd } from "#contract/host";
import { SandboxId, TenantId } from "#contract/ids";
import { TemplateName } from "#contract/sandbox";
import { MemberId } from "#contract/sandboxd";
import { SandboxBudget } from "#contract/usage";
import { writeNew } from "../write-new.ts";

/** Where a lease's meter begins, by a clock of this boot of the machine and by the control group's counter. */
const MeterStart = z.strictObject({ bootId: z.string(), monotonicMs: z.int(), cpuMicros: z.int() });
export type MeterStart = z.infer<typeof MeterStart>;

/** What this host has handed out: written before use, removed after the end. */
export const Lease = z.strictObject({
  sandboxId: SandboxId,
  generation: z.int(),
  tenantId: TenantId,
  memberId: MemberId,
  template: TemplateName,
  /** Hex; what a re-dialling sandboxd proves itself with. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  cpu: z.number(),
  memoryMiB: z.int(),
  pids: z.int(),
  /** Leases of a time before this was asked for had as much, in memory. */
  diskMiB: z.int().default(128),
  idleSeconds: z.int(),
  /** Leases from before there were ports have none that are open. */
  publicPorts: z.boolean().default(false),
  createdAtMs: z.int(),
  expiresAtMs: z.int(),
  /** Leases from before there were meters are not metered. */
  meter: MeterStart.optional(),
  /** Ended before it costs more. */
  budget: SandboxBudget.optional(),
});
export type Lease = z.infer<typeof Lease>;

export type LeaseStore = {
  /** The atomic claim of an id and generation. @returns false when it is taken already. */
  claim(lease: Lease): boolean;
  update(lease: Lease): void;
  /**
   * Puts the end on record, then forgets the lease: a crash in between repeats the end and loses nothing. Never
   * fails: on a full disk the lease stays until the control plane has heard of the end.
   */
  end(end: SandboxEnd): void;
  leases(): Lease[];
  ends(): SandboxEnd[];
  /** The control plane has recorded this end. */
  acknowledge(end: Pick<SandboxEnd, "sandboxId" | "generation">): void;
};

type Key = { sandboxId: string; generation: number };
const fileName = ({ sandboxId, generation }: Key) => `${sandboxId}-${generation}.json`;

/**
 * Leases as files of a folder. Calls are synchronous: the files are tiny and on the create path a thread hop costs
 * more than the write. Nothing is fsynced, since a power cut ends the containers too.
 */
export function createLeaseStore(folder: string): LeaseStore {
  const leaseFolder = join(folder, "leases");
  const endFolder = join(folder, "ended");
  for (const path of [leaseFolder, endFolder]) mkdirSync(path, { recursive: true, mode: 0o700 });
  /** Ends that the disk had no room for. */
  const unwritten = new Map<string, SandboxEnd>();

  function end(record: SandboxEnd): void {
    try {
      replace(join(endFolder, fileName(record)), record);
    } catch {
      unwritten.set(fileName(record), record);
      return;
    }
    rmSync(join(leaseFolder, fileName(record)), { force: true });
  }
  function acknowledge(record: Key): void {
    const name = fileName(record);
    rmSync(join(endFolder, name), { force: true });
    if (unwritten.delete(name)) rmSync(join(leaseFolder, name), { force: true });
  }
  return {
    claim: (lease) => writeNew(join(leaseFolder, fileName(lease)), JSON.stringify(lease)),
    update: (lease) => replace(join(leaseFolder, fileName(lease)), lease),
    end,
    leases: () => readFolder(leaseFolder, Lease),
    ends: () => [...readFolder(endFolder, SandboxEnd), ...unwritten.values()],
    acknowledge,
  };
}

function replace(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/**
 * A file that does not hold what it should was cut short by a crash: nobody was answered from it.
 * @throws Error when a file cannot be read at all; it is kept then
 */
function readFolder<T>(folder: string, schema: z.ZodType<T>): T[] {
  const records: T[] = [];
  for (const name of readdirSync(folder)) {
    const text = name.endsWith(".json") ? readFileSync(join(folder, name), "utf8") : "";
    const record = schema.safeParse(parse(text));
    if (record.success) records.push(record.data);
    else rmSync(join(folder, name), { force: true });
  }
  return records;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
