import { newReservationId, newSandboxId } from "#contract/ids";
import { readMigrations } from "#migrations/files";
import { migrate } from "#migrations/migrate";
import { databaseOver, guardClient } from "#worker/db/client";
import { openNodeClient } from "#worker/db/node";
import { AppError } from "#worker/errors";
import { insertReserved, type SandboxRow } from "#worker/sandboxes/store";

/** What one of several processes on the same database file is told to do; it prints how many slots it got. */
type Order =
  | { kind: "reserve"; url: string; count: number; row: SandboxRow; code: Parameters<typeof newSandboxId>[0] }
  | { kind: "migrate"; url: string };

async function main(): Promise<void> {
  const order: Order = JSON.parse(process.argv[2] ?? "");
  const client = await openNodeClient(order.url);
  if (order.kind === "migrate") {
    const applied = await migrate(guardClient(client), await readMigrations(), Date.now());
    process.stdout.write(JSON.stringify(applied));
    return;
  }
  const db = databaseOver(client);
  const reserve = async (): Promise<boolean> => {
    const row = { ...order.row, id: newSandboxId(order.code) };
    try {
      return await insertReserved(db, row.tenantId, row, newReservationId());
    } catch (error) {
      // Nothing was written; a caller whom a crowded database turns away asks again.
      if (error instanceof AppError && error.code === "unavailable") return reserve();
      throw error;
    }
  };
  const taken = (await Promise.all(Array.from({ length: order.count }, reserve))).filter(Boolean).length;
  process.stdout.write(JSON.stringify(taken));
}

main().catch((error: unknown) => {
  process.stderr.write(String(error instanceof Error ? error.stack : error));
  process.exit(1);
});
