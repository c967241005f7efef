import * as z from "zod";
import { KeyId, TenantId } from "./ids.ts";
import { Name } from "./key.ts";
import { pageOf, plainPageQuery } from "./page.ts";
import { LimitChanges, LimitOverrides, MonthlyBudget, Plan, PlanName, TenantLimits } from "./plan.ts";

const time = z.iso.datetime();

export const CreateTenant = z
  .strictObject({
    name: Name.describe("For people; no other tenant has it."),
    plan: PlanName.optional().describe("`free` when absent."),
    limits: LimitOverrides.optional().describe("In place of the plan's."),
    budget: MonthlyBudget.optional().describe("A hard cap; none when absent."),
  })
  .meta({ id: "CreateTenant" });
export type CreateTenant = z.infer<typeof CreateTenant>;

export const PatchTenant = z
  .strictObject({
    name: Name.optional(),
    plan: PlanName.optional().describe("Its limits hold at once, its prices from the next month on."),
    limits: LimitChanges.optional().describe("Added to the overrides; `null` drops one."),
    budget: MonthlyBudget.nullable().optional().describe("`null` = no cap any more."),
  })
  .refine((patch) => Object.keys(patch).length > 0, "must change something")
  .meta({ id: "PatchTenant", description: "At least one of these." });
export type PatchTenant = z.infer<typeof PatchTenant>;

export const tenantStates = ["active", "suspended", "deleted"] as const;

export const Tenant = z
  .strictObject({
    id: TenantId,
    name: z.string(),
    state: z.enum(tenantStates).describe("Keys work and sandboxes run while it is `active` only."),
    plan: PlanName,
    limits: TenantLimits.describe("As they hold: the plan's with the overrides."),
    overrides: LimitOverrides,
    budget: MonthlyBudget.optional(),
    createdAt: time,
    suspendedAt: time.optional(),
    deletedAt: time.optional(),
    removedAfter: time
      .optional()
      .describe("When everything of a deleted tenant goes; `resume` brings it back before."),
    use: z
      .strictObject({
        sandboxes: z.int().describe("Slots that are held."),
        runs: z.int().describe("Runs that have not ended."),
        createsToday: z.int(),
        keys: z.int().describe("Keys that are not revoked."),
      })
      .optional()
      .describe("Only where one tenant is read."),
  })
  .meta({ id: "Tenant" });
export type Tenant = z.infer<typeof Tenant>;

export const NewTenant = Tenant.extend({
  keyId: KeyId,
  apiKey: z.string().describe("Its first key, with every scope. It is shown here once, and kept nowhere."),
}).meta({ id: "NewTenant" });
export type NewTenant = z.infer<typeof NewTenant>;

export const ListTenants = z.strictObject({
  ...plainPageQuery,
  state: z.enum(tenantStates).optional().describe("Only tenants in this state."),
  plan: PlanName.optional().describe("Only tenants on this plan."),
});
export type ListTenants = z.infer<typeof ListTenants>;

export const TenantPage = pageOf(Tenant).meta({ id: "TenantPage" });
export type TenantPage = z.infer<typeof TenantPage>;

/** What is put under a plan's name. */
export const PutPlan = Plan.omit({ name: true }).meta({ id: "PutPlan" });
export type PutPlan = z.infer<typeof PutPlan>;

export const PlanList = z.strictObject({ items: z.array(Plan) }).meta({ id: "PlanList" });
export type PlanList = z.infer<typeof PlanList>;
