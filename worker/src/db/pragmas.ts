import type { Client } from "@libsql/client";

/** The wait inside of the engine blocks the event loop, so it is short; `guardClient` waits the rest. */
export const pragmas = [
  "busy_timeout = 20",
  "journal_mode = WAL",
  "synchronous = NORMAL",
  "foreign_keys = ON",
];

/** Every new connection to a file needs these. */
export async function applyPragmas(client: Pick<Client, "execute">): Promise<void> {
  for (const pragma of pragmas) await client.execute(`PRAGMA ${pragma}`);
}
