import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@libsql/client";
import { readMigrations } from "#migrations/files";
import { migrate } from "#migrations/migrate";
import { guardClient } from "#worker/db/client";
import { openNodeClient } from "#worker/db/node";

export type TestDatabase = {
  url: string;
  client: Client;
  /** Statements and batches sent since the count was last read. */
  takeCount: () => number;
  close: () => void;
};

/** A database file of its own, migrated, in a folder that goes away with it. */
export async function testDatabase(): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), "sandgate-test-"));
  const url = `file:${join(folder, "test.db")}`;
  const client = await openNodeClient(url);
  await migrate(guardClient(client), await readMigrations(), 0);
  let count = 0;
  const counted = new Proxy(client, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name === "execute" || name === "batch") count++;
      return value.bind(target);
    },
  });
  return {
    url,
    client: counted,
    takeCount() {
      const taken = count;
      count = 0;
      return taken;
    },
    close() {
      client.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
