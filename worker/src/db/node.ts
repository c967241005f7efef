import { open } from "node:fs/promises";
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
  await makePrivate(url);
  const client = createClient({ url, concurrency: 1 });
  // Another process may be opening, switching or migrating the same file: any pragma can meet its lock.
  await applyPragmas(guardClient(client));
  return client;
}

/**
 * Makes a database file that is not there yet readable by its owner only, whatever folder it is in; SQLite gives its
 * other files the mode of this one. What cannot be made is left for the client to explain.
 */
async function makePrivate(url: string): Promise<void> {
  const path = /^file:(\/[^?%]*)$/.exec(url)?.[1];
  if (path === undefined) return;
  const file = await open(path, "a", 0o600).catch(() => undefined);
  await file?.close();
}
