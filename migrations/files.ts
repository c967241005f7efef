import { readdir, readFile } from "node:fs/promises";
import type { Migration } from "./migrate.ts";

/** Reads the `NNNN_name.sql` files beside this one, in order. */
export async function readMigrations(folder: URL = new URL(".", import.meta.url)): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(new URL(name, folder), "utf8") })),
  );
}
