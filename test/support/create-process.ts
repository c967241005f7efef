import type { Client } from "@libsql/client";
import { type KeyId, newSandboxId, type TenantId } from "#contract/ids";
import { readMigrations } from "#migrations/files";
import { migrate } from "#migrations/migrate";
import { FakeProvider } from "#test/fakes/provider";
import { createApp } from "#worker/app";
import { databaseOver, guardClient } from "#worker/db/client";
import { openNodeClient } from "#worker/db/node";
import { makeDeps } from "#worker/deps";
import { AppError } from "#worker/errors";
import { insertReserved } from "#worker/sandboxes/insert-store";
import type { SandboxRow } from "#worker/sandboxes/store";
import { takingOf } from "./account.ts";
import { testConfig } from "./config.ts";

/** What one of several processes on the same database file is told to do; it prints how many slots it got, of each. */
type Order =
  | {
      kind: "reserve";
      url: string;
      count: number;
      row: SandboxRow;
      /** Each gets so many creates, all at once. */
      accounts: { tenantId: TenantId; keyId: KeyId }[];
      code: Parameters<typeof newSandboxId>[0];
    }
  | { kind: "once"; url: string; nowMs: number; key: string; keys: string[] }
  | { kind: "migrate"; url: string };

async function main(): Promise<void> {
  const order: Order = JSON.parse(process.argv[2] ?? "");
  const client = await openNodeClient(order.url);
  if (order.kind === "migrate") {
    const applied = await migrate(guardClient(client), await readMigrations(), Date.now());
    process.stdout.write(JSON.stringify(applied));
    return;
  }
  if (order.kind === "once") {
    process.stdout.write(JSON.stringify(await createOnce(client, order)));
    return;
  }
  const db = databaseOver(client);
  const reserve = async (account: (typeof order.accounts)[number]): Promise<boolean> => {
    const { tenantId, keyId } = account;
    const row = { ...order.row, tenantId, id: newSandboxId(order.code) };
    try {
      return await insertReserved(db, tenantId, row, takingOf({ id: keyId }));
    } catch (error) {
      // Nothing was written; a caller whom a crowded database turns away asks again.
      if (error instanceof AppError && error.code === "unavailable") return reserve(account);
      throw error;
    }
  };
  const taken: number[] = [];
  for (const account of order.accounts) {
    const all = await Promise.all(Array.from({ length: order.count }, () => reserve(account)));
    taken.push(all.filter(Boolean).length);
  }
  process.stdout.write(JSON.stringify(taken));
}

/** Sends a create with each of the keys, all at once, and again where it is told to come back. */
async function createOnce(client: Client, order: Extract<Order, { kind: "once" }>) {
  const app = createApp(
    makeDeps({
      client,
      config: testConfig,
      log: () => undefined,
      background: (_name, work) => void work.catch(() => undefined),
      now: () => order.nowMs,
      provider: new FakeProvider(() => order.nowMs),
    }),
  );
  const create = async (key: string): Promise<{ key: string; status: number; id: string }> => {
    const response = await app.request("/v1/sandboxes", {
      method: "POST",
      headers: {
        authorization: `Bearer ${order.key}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: "{}",
    });
    if (response.status === 409 || response.status === 503) return create(key);
    const { id } = (await response.json()) as { id: string };
    return { key, status: response.status, id };
  };
  return Promise.all(order.keys.map(create));
}

main().catch((error: unknown) => {
  process.stderr.write(String(error instanceof Error ? error.stack : error));
  process.exit(1);
});
