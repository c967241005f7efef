import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Lease } from "#host/leases/store";
import { inDatabase } from "./books.ts";
import type { TestStack } from "./stack.ts";
import { engine } from "./traces.ts";

export type Billed = { sandboxId: string; memorySeconds: number; cpuMs: number; isSettled: boolean };

/** What is on the bill of each of these sandboxes. */
export function billedOf(stack: Pick<TestStack, "dataDir">, ids: readonly string[]): Promise<Billed[]> {
  return inDatabase(stack.dataDir, async (client) => {
    const { rows } = await client.execute({
      sql: `SELECT h.sandbox_id AS id, h.settled_at_ms IS NOT NULL AS is_settled,
          coalesce(sum(e.memory_mib_seconds), 0) / 256.0 AS seconds, coalesce(sum(e.cpu_ms), 0) AS cpu
        FROM holds h LEFT JOIN usage_events e ON e.sandbox_id = h.sandbox_id
        WHERE h.sandbox_id IN (SELECT value FROM json_each(?)) GROUP BY h.sandbox_id`,
      args: [JSON.stringify(ids)],
    });
    return rows.map((row) => ({
      sandboxId: String(row.id),
      memorySeconds: Number(row.seconds),
      cpuMs: Number(row.cpu),
      isSettled: row.is_settled === 1,
    }));
  });
}

/** When a container died, by the engine's own record. @throws Error when it knows of no death */
export async function diedAtMs(containerId: string, sinceMs: number): Promise<number> {
  const filters = encodeURIComponent(JSON.stringify({ container: [containerId], event: ["die"] }));
  const [since, until] = [Math.floor(sinceMs / 1000), Math.ceil(Date.now() / 1000)];
  const path = `/events?since=${since}&until=${until}&filters=${filters}`;
  const text = await engine.text({ method: "GET", path, deadlineMs: 10_000 });
  const [death] = text.split("\n");
  if (!death) throw new Error(`${containerId} has not died.`);
  return (JSON.parse(death) as { timeNano: number }).timeNano / 1e6;
}

/** Gives a sandbox a budget of its own in what its host keeps of it; the next host reads it there. */
export function giveBudget(dataDir: string, sandboxId: string, budget: Lease["budget"]): void {
  const folder = join(dataDir, "host", "leases");
  const name = readdirSync(folder).find((file) => file.startsWith(sandboxId)) ?? "";
  const lease = Lease.parse(JSON.parse(readFileSync(join(folder, name), "utf8")));
  writeFileSync(join(folder, name), JSON.stringify({ ...lease, budget }));
}
