import { open } from "node:fs/promises";
import { type Client, createClient } from "@libsql/client";
import { guardClient } from "./client.ts";
import { openFileClient } from "./node-file.ts";
import { applyPragmas } from "./pragmas.ts";

/**
 * Opens what Node can open: `file:` with the pragmas that every connection needs, or a server over HTTP.
 * One connection per file: the native client is synchronous, so more of them would only lose their pragmas.
 * @throws AppError `unavailable` when the file cannot be opened or stays locked
 */
export async function openNodeClient(url: string, authToken = ""): Promise<Client> {
  if (!url.startsWith("file:")) return createClient({ url, ...(authToken && { authToken }) });
  const path = pathOf(url);
  if (path !== undefined) await makePrivate(path);
  // What is no plain path, such as a database in memory, is the library's to understand.
  const client = path === undefined ? createClient({ url, concurrency: 1 }) : openFileClient(path);
  // Another process may be opening, switching or migrating the same file: any pragma can meet its lock.
  await applyPragmas(guardClient(client));
  return client;
}

/**
 * Makes a database file that is not there yet readable by its owner only, whatever folder it is in; SQLite gives its
 * other files the mode of this one. What cannot be made is left for the client to explain.
 */
async function makePrivate(path: string): Promise<void> {
  const file = await open(path, "a", 0o600).catch(() => undefined);
  await file?.close();
}

const pathOf = (url: string): string | undefined => /^file:(\/[^?#%]*)$/.exec(url)?.[1];
