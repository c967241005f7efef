import * as z from "zod";

/** The JSON encoding of Hrana 2 and 3 over HTTP: what our client sends in one pipeline; no `describe`, no cursors. */
const Value = z.discriminatedUnion("type", [
  z.object({ type: z.literal("null") }),
  z.object({ type: z.literal("integer"), value: z.string().regex(/^-?\d{1,19}$/) }),
  z.object({ type: z.literal("float"), value: z.number() }),
  z.object({ type: z.literal("text"), value: z.string() }),
  z.object({ type: z.literal("blob"), base64: z.string() }),
]);
export type Value = z.infer<typeof Value>;

/** A statement is sent as text, or by the number that `store_sql` gave a text. */
const sqlText = { sql: z.string().nullish(), sql_id: z.int().nullish() };

const Statement = z.object({
  ...sqlText,
  args: z.array(Value).default([]),
  named_args: z.array(z.object({ name: z.string(), value: Value })).default([]),
  want_rows: z.boolean().nullish(),
});
export type Statement = z.infer<typeof Statement>;

export type Condition =
  | { type: "ok" | "error"; step: number }
  | { type: "not"; cond: Condition }
  | { type: "and" | "or"; conds: Condition[] }
  | { type: "is_autocommit" };

const Condition: z.ZodType<Condition> = z.lazy(() =>
  z.union([
    z.object({ type: z.enum(["ok", "error"]), step: z.int() }),
    z.object({ type: z.literal("not"), cond: Condition }),
    z.object({ type: z.enum(["and", "or"]), conds: z.array(Condition) }),
    z.object({ type: z.literal("is_autocommit") }),
  ]),
);

const Batch = z.object({
  steps: z.array(z.object({ condition: Condition.nullish(), stmt: Statement })),
});
export type Batch = z.infer<typeof Batch>;

const StreamRequest = z.discriminatedUnion("type", [
  z.object({ type: z.literal("close") }),
  z.object({ type: z.literal("execute"), stmt: Statement }),
  z.object({ type: z.literal("batch"), batch: Batch }),
  z.object({ type: z.literal("sequence"), ...sqlText }),
  z.object({ type: z.literal("store_sql"), sql_id: z.int(), sql: z.string() }),
  z.object({ type: z.literal("close_sql"), sql_id: z.int() }),
  z.object({ type: z.literal("get_autocommit") }),
]);
export type StreamRequest = z.infer<typeof StreamRequest>;

export const Pipeline = z.object({
  baton: z.string().nullish(),
  requests: z.array(StreamRequest).max(1_000),
});
export type Pipeline = z.infer<typeof Pipeline>;

export type StatementResult = {
  cols: { name: string; decltype: string | null }[];
  rows: Value[][];
  affected_row_count: number;
  last_insert_rowid: string | null;
};
export type WireError = { message: string; code: string };
export type BatchResult = { step_results: (StatementResult | null)[]; step_errors: (WireError | null)[] };
export type StreamResult =
  | { type: "ok"; response: { type: StreamRequest["type"] } & Record<string, unknown> }
  | { type: "error"; error: WireError };

export function wireError(error: unknown): WireError {
  if (!(error instanceof Error)) return { message: String(error), code: "UNKNOWN" };
  const code = "code" in error ? String(error.code) : "UNKNOWN";
  return { message: error.message, code };
}
