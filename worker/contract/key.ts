import * as z from "zod";
import { scopes } from "./api-row.ts";
import { KeyId } from "./ids.ts";
import { limits } from "./limits.ts";
import { pageOf } from "./page.ts";
import { KeyRate, KeyTemplates, MonthlyBudget } from "./plan.ts";

/** What people call a tenant or a key. */
export const Name = z
  .string()
  .min(1)
  .max(limits.nameMaxChars)
  .regex(/^[^\p{C}]+$/u, "must have no control characters")
  .refine((name) => name.trim() === name, "must not begin or end with white space");

export const Scopes = z
  .array(z.enum(scopes))
  .min(1)
  .max(scopes.length)
  .refine((list) => new Set(list).size === list.length, "must name each scope once");

const time = z.iso.datetime();

/** The parts of a key that the caller chooses. */
const chosen = {
  name: Name.describe("For people."),
  scopes: Scopes.describe("What the key may do; none that the key of this request does not have."),
  templates: KeyTemplates.optional().describe(
    "Of which templates it may make sandboxes and runs, by name or alias; of any when absent.",
  ),
  expiresInSeconds: z
    .int()
    .min(limits.keyLifetimeMinSeconds)
    .max(limits.keyLifetimeMaxSeconds)
    .optional()
    .describe("Time after which it is refused. This or `expiresAt`; never when both are absent."),
  expiresAt: time.optional(),
  budget: MonthlyBudget.optional().describe("A cap of its own, inside its tenant's."),
  rate: KeyRate.optional().describe("A rate of its own, inside its tenant's."),
};

export const CreateKey = z
  .strictObject(chosen)
  .refine((key) => key.expiresInSeconds === undefined || key.expiresAt === undefined, {
    message: "must not be sent with expiresAt",
    path: ["expiresInSeconds"],
  })
  .meta({ id: "CreateKey" });
export type CreateKey = z.infer<typeof CreateKey>;

/** What may be seen of a key; the key itself is not among it. */
export const Key = z
  .strictObject({
    id: KeyId,
    name: z.string(),
    prefix: z.string().describe("How the key begins, to recognise it by."),
    scopes: z.array(z.enum(scopes)),
    templates: KeyTemplates.optional().describe("What it is restricted to; any template when absent."),
    budget: MonthlyBudget.optional(),
    rate: KeyRate.optional(),
    createdAt: time,
    expiresAt: time.optional(),
    revokedAt: time.optional(),
    lastUsedAt: time.optional().describe("To the minute."),
  })
  .meta({ id: "Key" });
export type Key = z.infer<typeof Key>;

export const NewKey = Key.extend({
  key: z.string().describe("The key itself. It is shown here once, and kept nowhere."),
}).meta({ id: "NewKey" });
export type NewKey = z.infer<typeof NewKey>;

export const KeyPage = pageOf(Key).meta({ id: "KeyPage" });
export type KeyPage = z.infer<typeof KeyPage>;
