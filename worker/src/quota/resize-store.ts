import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import type { SandboxId, TenantId } from "#contract/ids";
import type { Db } from "../db/client.ts";
import type { Statement } from "../db/rider.ts";
import { holds } from "../db/schema.ts";
import { monthOf } from "./month.ts";
import { askedOf, countedOf, fits, sumsOf, termsOf } from "./terms-store.ts";
import { units } from "./units.ts";

type Resize = {
  lifetimeSeconds?: number;
  capMicros?: number;
  metadata?: Record<string, string>;
  nowMs: number;
  /** What else must hold. */
  condition: SQL;
};

/** What a sandbox can use at most in `seconds`, in the words of `worstCase`; nothing goes out or pauses more. */
const worst: Record<string, string> = {
  cpu_ms: "CAST(round(s.cpu * 1000 + 0.4995) AS INTEGER) * seconds",
  memory_mib_seconds: "s.memory_mib * seconds",
  disk_mib_seconds: "s.disk_mib * seconds",
};
const worstOf = (column: string) => worst[column] ?? `h.${column}`;
const needColumns = sql.raw(
  units
    .map(({ column }) => `max(0, ${worstOf(column)} - h.used_${column}) AS n_${column}, h.used_${column}`)
    .join(", "),
);
/** Never below what was metered. */
const resized = sql.raw(
  units.map(({ column }) => `${column} = need.used_${column} + need.n_${column}`).join(", "),
);

/**
 * Makes a hold fit the life and the cap that its sandbox is to have: less always, more if quotas and budgets have room,
 * counted as if it held nothing yet. The key whose cap counts is the one that the sandbox was made with.
 */
export function resizeHoldStatement(db: Db, tenantId: TenantId, id: SandboxId, resize: Resize): Statement {
  const { lifetimeSeconds = null, capMicros = null, metadata, nowMs, condition } = resize;
  const keyId = sql`(SELECT key_id FROM holds WHERE sandbox_id = ${id})`;
  const whose = { tenantId, keyId, month: monthOf(nowMs) };
  // Numbers that are bound arrive as floating point, by which prices would be rounded.
  return db.run(sql`
    WITH ${termsOf(whose)}, ${countedOf(whose, id)}, ${sumsOf},
      need AS MATERIALIZED (
        SELECT 1 AS count, ifnull(CAST(${capMicros} AS INTEGER), h.cap_micros) AS cap_micros, seconds, s.created_at_ms, ${needColumns}
        FROM holds h JOIN sandboxes s ON s.id = h.sandbox_id
          JOIN (SELECT ifnull(CAST(${lifetimeSeconds} AS INTEGER), lifetime_seconds) AS seconds FROM holds WHERE sandbox_id = ${id})
        WHERE h.sandbox_id = ${id} AND h.tenant_id = ${tenantId}),
      ${askedOf}
    UPDATE holds SET lifetime_seconds = seconds, cap_micros = need.cap_micros,
      expires_at_ms = need.created_at_ms + seconds * 1000, ${resized},
      metadata = ifnull(${metadata ? JSON.stringify(metadata) : null}, metadata)
    FROM need
    WHERE holds.sandbox_id = ${id} AND holds.tenant_id = ${tenantId} AND settled_at_ms IS NULL
      AND (seconds <= lifetime_seconds AND need.cap_micros IS holds.cap_micros
        OR EXISTS (SELECT 1 FROM asked WHERE ${fits}))
      AND ${condition}`);
}

/** What is held for one sandbox; `undefined` = nothing, or no more. */
export async function findHold(db: Db, tenantId: TenantId, id: SandboxId) {
  const rows = await db
    .select()
    .from(holds)
    .where(and(eq(holds.tenantId, tenantId), eq(holds.sandboxId, id), isNull(holds.settledAtMs)));
  return rows[0];
}
