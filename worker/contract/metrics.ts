import * as z from "zod";

const count = z.int().min(0);

/** What a sandbox used up to one moment, straight from its control group. */
export const MetricsSample = z
  .strictObject({
    at: z.iso.datetime(),
    cpuMs: z.number().min(0).describe("Processor time since the sandbox was handed out."),
    cpuPercent: z
      .number()
      .min(0)
      .describe("Of one core, over the time since the sample before; 100 = one core busy all the time."),
    memoryBytes: count.describe("In use, without file pages that the kernel can drop at once."),
    processes: count.describe("Processes and threads, the daemon's included."),
    readBytes: count.describe("Read from block devices since the sandbox was made."),
    writtenBytes: count.describe("Written to block devices since the sandbox was made."),
    workspaceBytes: count.describe("In use on the disk of /workspace."),
    workspaceInodes: count.describe("Files and folders on the disk of /workspace."),
  })
  .meta({ id: "MetricsSample" });
export type MetricsSample = z.infer<typeof MetricsSample>;

export const SandboxMetrics = z
  .strictObject({
    cpu: z.number().describe("Cores that the sandbox may use."),
    memoryLimitBytes: count,
    processesLimit: count,
    workspaceLimitBytes: count.describe("What fits on the disk of /workspace."),
    workspaceInodesLimit: count.describe("Files and folders that fit on it."),
    current: MetricsSample,
    intervalSeconds: z.number().describe("Time between the samples of `history`."),
    history: z.array(MetricsSample).describe("Oldest first."),
  })
  .meta({ id: "SandboxMetrics" });
export type SandboxMetrics = z.infer<typeof SandboxMetrics>;

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** A label for a method that anybody may make up: each new value of a label is kept for ever. */
export const methodLabel = (method: string) => (methods.includes(method) ? method : "other");
