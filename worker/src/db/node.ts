import { type Client, createClient } from "@libsql/client";
import { guardClient } from "./client.ts";
import { applyPragmas } from "./pragmas.ts";

/**
 * Opens what Node can open: `file:` with the pragmas that every connection needs, or a server over HTTP.
 * One connection per file: the native client is synchronous, so more of them would only lose their pragmas.
 * @throws AppError `unavailable` when the file cannot be opened or stays locked
 */
export async function openNodeClient(url: string, authToken = ""): Promise<Client> {
  if (!url.startsWith("file:")) return createClient({ url, ...(authToken && { authToken }) });
  const client = createClient({ url, concurrency: 1 });
  // Another process may be opening, switching or migrating the same file: any pragma can meet its lock.
  await applyPragmas(guardClient(client));
  return client;
}
