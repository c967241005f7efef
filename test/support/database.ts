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
  /** The next so many statements and batches that match find the database away. */
  beAwayFor: (count: number, matching: RegExp) => void;
  close: () => void;
};

/** A database file of its own, migrated, in a folder that goes away with it. */
export async function testDatabase(): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), "sandgate-test-"));
  const url = `file:${join(folder, "test.db")}`;
  const client = await openNodeClient(url);
  await migrate(guardClient(client), await readMigrations(), 0);
  let count = 0;
  let away = { count: 0, matching: /^/ };
  const counted = new Proxy(client, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "execute" && name !== "batch") return value.bind(target);
      return (...args: unknown[]) => {
        count++;
        if (away.count === 0 || !away.matching.test(JSON.stringify(args))) return value.apply(target, args);
        away.count--;
        return Promise.reject(Object.assign(new Error("away"), { code: "SERVER_ERROR" }));
      };
    },
  });
  return {
    url,
    client: counted,
    beAwayFor(times, matching) {
      away = { count: times, matching };
    },
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
