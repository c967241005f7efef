import * as z from "zod";
import { SandboxId } from "./ids.ts";
import { limits } from "./limits.ts";
import { Budget } from "./money.ts";
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
export const EndReason = z.enum(endReasons).meta({ id: "EndReason" });
export type EndReason = z.infer<typeof EndReason>;

export const TemplateName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be a template name: lowercase letters, digits and -");

const seconds = z.int().min(limits.lifetimeMinSeconds).max(limits.lifetimeMaxSeconds);
const Cpu = z.number().min(limits.cpuMin).max(limits.cpuMax).multipleOf(0.05);
const MemoryMiB = z.int().min(limits.memoryMinMiB).max(limits.memoryMaxMiB);
const Pids = z.int().min(limits.pidsMin).max(limits.pidsMax);
const DiskMiB = z.int().min(limits.diskMinMiB).max(limits.diskMaxMiB);

export const CreateSandbox = z
  .strictObject({
    template: TemplateName.optional().describe("Name or alias of a template; `base` when absent."),
    lifetimeSeconds: seconds.optional().describe("Age at which the sandbox ends, whatever it does."),
    idleSeconds: seconds
      .optional()
      .describe("Time without a command, a file operation or a byte on a port after which the sandbox ends."),
    env: EnvVars.optional().describe("Environment of every command in the sandbox."),
    metadata: Metadata.optional().describe("Yours to find the sandbox by; kept with its record."),
    cpu: Cpu.optional().describe("Cores."),
    memoryMiB: MemoryMiB.optional().describe("Memory, with what is in /tmp and in the cache of files."),
    pids: Pids.optional().describe("Processes and threads at once."),
    diskMiB: DiskMiB.optional().describe(
      "Size of /workspace, the home folder; the file system itself takes 2 % of it.",
    ),
    publicPorts: z
      .boolean()
      .optional()
      .describe("Whether the host names of its ports are open to everybody; false when absent."),
    network: z.literal("none").optional().describe("There is no other kind yet."),
    budget: Budget.optional().describe(
      "What the sandbox may cost; its worst case is held up to this, and it is ended there.",
    ),
  })
  .meta({ id: "CreateSandbox" });
export type CreateSandbox = z.infer<typeof CreateSandbox>;

export const PatchSandbox = z
  .strictObject({
    lifetimeSeconds: seconds
      .optional()
      .describe("Counted from the start of the sandbox, as at its creation; its end must lie in the future."),
    metadata: Metadata.optional().describe("Replaces what was there."),
    budget: Budget.optional().describe("A higher cap, of a sandbox that has one."),
  })
  .refine((patch) => Object.keys(patch).length > 0, "must change something")
  .meta({ id: "PatchSandbox", description: "At least one of these." });
export type PatchSandbox = z.infer<typeof PatchSandbox>;

const time = z.iso.datetime();

export const Sandbox = z
  .strictObject({
    id: SandboxId,
    template: TemplateName.describe("The template itself, whatever alias was asked for."),
    state: z.enum(sandboxStates),
    cpu: z.number(),
    memoryMiB: z.int(),
    pids: z.int(),
    diskMiB: z.int().describe("What /workspace has; less than asked for on a host that keeps it in memory."),
    lifetimeSeconds: z.int(),
    idleSeconds: z.int(),
    publicPorts: z.boolean().describe("Whether the host names of its ports are open to everybody."),
    metadata: Metadata,
    budget: Budget.optional().describe("Present if it was created with one."),
    createdAt: time,
    expiresAt: time.describe("When its lifetime ends it, unless something else does before."),
    endedAt: time.optional(),
    endReason: EndReason.optional().describe("Why it ended; present once it has."),
  })
  .meta({ id: "Sandbox" });
export type Sandbox = z.infer<typeof Sandbox>;

export const ListSandboxes = z.strictObject({
  ...pageQuery,
  state: z.enum(sandboxStates).optional().describe("Only sandboxes in this state."),
  template: TemplateName.optional().describe("Only those of this template; an alias will do."),
});
export type ListSandboxes = z.infer<typeof ListSandboxes>;

export const SandboxPage = pageOf(Sandbox).meta({ id: "SandboxPage" });
export type SandboxPage = z.infer<typeof SandboxPage>;
