import { type Client, createClient, type TransactionMode } from "@libsql/client/web";

/** No query of ours takes a fraction of this; a database that takes longer is away. */
const answerDeadlineMs = 10_000;

/**
 * A libSQL server over HTTP, for a runtime where a request may be cut off at any moment and nobody may wait on its I/O.
 * The library's client holds a queue between its calls, in which a request that was cut off keeps its place for ever;
 * so every call gets a client of its own. That costs no connection: those are the runtime's.
 */
export function openEdgeClient(url: string, authToken: string): Client {
  const open = () => createClient({ url, fetch: fetchInTime, ...(authToken && { authToken }) });
  return {
    execute: (statement, args?: Parameters<Client["execute"]>[1]) =>
      typeof statement === "string" ? open().execute(statement, args) : open().execute(statement),
    batch: (statements, mode) => open().batch(statements, mode),
    migrate: (statements) => open().migrate(statements),
    transaction: (mode?: TransactionMode) => open().transaction(mode ?? "write"),
    executeMultiple: (sql) => open().executeMultiple(sql),
    sync: () => open().sync(),
    close: () => undefined,
    reconnect: () => undefined,
    closed: false,
    protocol: "http",
  };
}

/** @throws TypeError when there is no answer in time, as when there is none at all */
async function fetchInTime(request: Request): Promise<Response> {
  const signal = AbortSignal.timeout(answerDeadlineMs);
  try {
    return await fetch(request, { signal });
  } catch (cause) {
    if (signal.aborted) throw new TypeError("The database did not answer in time.", { cause });
    throw cause;
  }
}
