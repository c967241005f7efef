import * as z from "zod";
import { errorCodes } from "./errors.ts";
import { limits } from "./limits.ts";
import { CreateSandbox, Sandbox } from "./sandbox.ts";

export const CreateSandboxBatch = CreateSandbox.extend({
  count: z.int().min(1).max(limits.batchMax).describe("How many sandboxes of this kind."),
}).meta({ id: "CreateSandboxBatch" });
export type CreateSandboxBatch = z.infer<typeof CreateSandboxBatch>;

const SandboxBatchItem = z
  .strictObject({
    sandbox: Sandbox.optional(),
    error: z
      .strictObject({
        code: z.enum(errorCodes),
        status: z.int().describe("What a request for this one alone would have been answered."),
        detail: z.string(),
      })
      .optional()
      .describe("In place of the sandbox, where it could not be made; its slot is free again."),
  })
  .meta({ id: "SandboxBatchItem" });
export type SandboxBatchItem = z.infer<typeof SandboxBatchItem>;

export const SandboxBatch = z
  .strictObject({
    items: z.array(SandboxBatchItem).describe("One for each that was asked for."),
    created: z.int(),
    failed: z.int(),
  })
  .meta({ id: "SandboxBatch" });
export type SandboxBatch = z.infer<typeof SandboxBatch>;
