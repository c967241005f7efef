import * as z from "zod";
import { pageOf, pageQuery } from "./page.ts";

const Instant = z.iso.datetime().describe("UTC, to the millisecond.");
const details = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

/** What was done, by whom, to what; never a command, an environment, a path or a key. */
const entry = {
  at: Instant,
  actor: z.string().describe("`key:<id>`, `operator`, `host` or `system`."),
  action: z.string().describe("What was done to what kind of thing, such as `sandbox.created`."),
  subject: z.string().describe("The id of that thing."),
  details: details.describe("Facts of the change, without secrets."),
  requestId: z.string().nullable().describe("The request that asked for it; null where none did."),
};

export const AuditEntry = z.strictObject(entry).meta({ id: "AuditEntry" });
export type AuditEntry = z.infer<typeof AuditEntry>;
export const AuditPage = pageOf(AuditEntry).meta({ id: "AuditPage" });

/** What the operator sees besides. */
export const AuditRecord = z
  .strictObject({
    sequence: z.int().describe("Of the whole service, from 1, without a gap."),
    tenantId: z.string().nullable().describe("null = a change of the whole service."),
    ...entry,
    actor: z.string().describe("`key:<id>`, `operator`, `host:<id>` or `system`."),
    hash: z.string().nullable().describe("SHA-256 over the row before and this one; null until sealed."),
  })
  .meta({ id: "AuditRecord" });
export type AuditRecord = z.infer<typeof AuditRecord>;
export const AuditRecordPage = pageOf(AuditRecord).meta({ id: "AuditRecordPage" });

const filters = {
  limit: pageQuery.limit,
  cursor: pageQuery.cursor,
  action: z
    .string()
    .regex(/^[a-z_]{1,40}\.[a-z_]{1,40}$/, "must be an action such as sandbox.created")
    .optional()
    .describe("Only this action."),
  subject: z.string().min(1).max(64).optional().describe("Only what was done to the thing with this id."),
  from: z.iso.datetime({ offset: true }).optional().describe("Only from this moment on."),
  to: z.iso.datetime({ offset: true }).optional().describe("Only before this moment."),
};
export const ListAudit = z.strictObject(filters);
export type ListAudit = z.infer<typeof ListAudit>;
export const ListAuditRecords = z.strictObject({
  ...filters,
  tenantId: z.string().max(64).optional().describe("Only changes of this tenant's."),
});
export type ListAuditRecords = z.infer<typeof ListAuditRecords>;

const ChainPoint = z
  .strictObject({
    sequence: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
    hash: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"),
  })
  .describe("A row and the hash over all rows up to it.");

/** From where to verify; absent = from the oldest row. */
export const VerifyAudit = z
  .strictObject({
    after: ChainPoint.optional().describe(
      "A place that is known from an earlier answer or a log: it must still be what it was.",
    ),
  })
  .meta({ id: "VerifyAudit" });

export const AuditFinding = z
  .strictObject({
    sequence: z.int().describe("The first row that is not what was sealed."),
    kind: z
      .enum(["removed", "changed", "inserted", "unsealed", "head_forged"])
      .describe(
        "`unsealed`: without a seal for more than two minutes, or too many rows. `head_forged`: the end of the chain is not ours.",
      ),
  })
  .meta({ id: "AuditFinding" });
export type AuditFinding = z.infer<typeof AuditFinding>;

export const AuditVerdict = z
  .strictObject({
    isIntact: z.boolean().describe("Whether nothing was found, as far as was looked."),
    isComplete: z.boolean().describe("Whether the end was reached; if not, go on after `through`."),
    checked: z.int().describe("Rows that were looked at."),
    through: z
      .strictObject({ sequence: z.int(), hash: z.string() })
      .describe("The last sealed row that is right. Keep it elsewhere, and begin there the next time."),
    finding: AuditFinding.optional(),
  })
  .meta({ id: "AuditVerdict" });
export type AuditVerdict = z.infer<typeof AuditVerdict>;
