import { type Client, createClient } from "@libsql/client";

/**
 * Opens what Node can open: `file:` with the pragmas that every connection needs, or a server over HTTP.
 * One connection per file: the native client is synchronous, so more of them would only lose their pragmas.
 */
export async function openNodeClient(url: string): Promise<Client> {
  if (!url.startsWith("file:")) return createClient({ url });
  const client = createClient({ url, concurrency: 1 });
  // The wait blocks the event loop, so it is short; `guardClient` waits the rest asynchronously.
  for (const pragma of ["busy_timeout = 20", "synchronous = NORMAL", "foreign_keys = ON"]) {
    await client.execute(`PRAGMA ${pragma}`);
  }
  await setWriteAheadLog(client);
  return client;
}

const walAttemptsMax = 100;

/** Switching to WAL needs the file for itself for a moment, and another process may be switching as well. */
async function setWriteAheadLog(client: Client): Promise<void> {
  for (let attempts = 1; ; attempts++) {
    try {
      await client.execute("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (attempts >= walAttemptsMax) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 20));
    }
  }
}
