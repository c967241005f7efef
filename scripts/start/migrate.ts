import { readMigrations } from "#migrations/files";
import { migrate } from "#migrations/migrate";
import { guardClient } from "#worker/db/client";
import { openNodeClient } from "#worker/db/node";
import { readNodeSettings } from "#worker/node-settings";

try {
  const { databaseUrl, values } = await readNodeSettings(process.env);
  const client = await openNodeClient(databaseUrl, values.SANDGATE_DATABASE_TOKEN);
  const applied = await migrate(guardClient(client), await readMigrations(), Date.now());
  client.close();
  console.log(applied.length === 0 ? "The database is up to date." : `Applied: ${applied.join(", ")}.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
