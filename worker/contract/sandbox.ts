import * as z from "zod";
import { SandboxId } from "./ids.ts";
import { limits } from "./limits.ts";
import { pageOf, pageQuery } from "./page.ts";
import { EnvVars, Metadata } from "./text.ts";

export const sandboxStates = ["creating", "running", "ending", "ended"] as const;
export type SandboxState = (typeof sandboxStates)[number];

/** The only changes of state there are; every UPDATE names its allowed old states from this table. */
export const sandboxTransitions: Record<SandboxState, readonly SandboxState[]> = {
  creating: ["running", "ending", "ended"],
  running: ["ending", "ended"],
  ending: ["ended"],
  ended: [],
};

/** The states from which `to` may be reached. */
export function statesBefore(to: SandboxState): SandboxState[] {
  return sandboxStates.filter((from) => sandboxTransitions[from].includes(to));
}

/** Why a sandbox or a command ended, read from the cgroup and the ledger, never guessed. */
export const endReasons = [
  "exited",
  "timeout",
  "oom",
  "disk",
  "idle",
  "lifetime",
  "budget",
  "canceled",
  "killed",
  "host_lost",
  "crashed",
] as const;
export const EndReason = z.enum(endReasons);
export type EndReason = z.infer<typeof EndReason>;

export const TemplateName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be a template name: lowercase letters, digits and -");

const seconds = z.int().min(limits.lifetimeMinSeconds).max(limits.lifetimeMaxSeconds);
const Cpu = z.number().min(limits.cpuMin).max(limits.cpuMax).multipleOf(0.05);
const MemoryMiB = z.int().min(limits.memoryMinMiB).max(limits.memoryMaxMiB);

export const CreateSandbox = z.strictObject({
  template: TemplateName.optional(),
  /** Age at which the sandbox ends, whatever it does. */
  lifetimeSeconds: seconds.optional(),
  /** Time without a command or file operation after which it ends. */
  idleSeconds: seconds.optional(),
  env: EnvVars.optional(),
  metadata: Metadata.optional(),
  cpu: Cpu.optional(),
  memoryMiB: MemoryMiB.optional(),
  network: z.literal("none").optional(),
});
export type CreateSandbox = z.infer<typeof CreateSandbox>;

export const PatchSandbox = z
  .strictObject({
    /** Counted from the start of the sandbox, as at its creation; it must lie in the future. */
    lifetimeSeconds: seconds.optional(),
    /** Replaces what was there. */
    metadata: Metadata.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "must change something");
export type PatchSandbox = z.infer<typeof PatchSandbox>;

const time = z.iso.datetime();

export const Sandbox = z.strictObject({
  id: SandboxId,
  template: TemplateName,
  state: z.enum(sandboxStates),
  cpu: z.number(),
  memoryMiB: z.int(),
  lifetimeSeconds: z.int(),
  idleSeconds: z.int(),
  metadata: Metadata,
  createdAt: time,
  expiresAt: time,
  endedAt: time.optional(),
  endReason: EndReason.optional(),
});
export type Sandbox = z.infer<typeof Sandbox>;

export const ListSandboxes = z.strictObject({
  ...pageQuery,
  state: z.enum(sandboxStates).optional(),
  /** A name or an alias. */
  template: TemplateName.optional(),
});
export type ListSandboxes = z.infer<typeof ListSandboxes>;

export const SandboxPage = pageOf(Sandbox);
export type SandboxPage = z.infer<typeof SandboxPage>;
