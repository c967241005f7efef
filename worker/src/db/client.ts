import type { Client, InArgs, InStatement, ResultSet } from "@libsql/client";
import type { LibSQLDatabase } from "drizzle-orm/libsql";
import { drizzle } from "drizzle-orm/libsql/web";
import { AppError } from "../errors.ts";
import { applyPragmas } from "./pragmas.ts";

export type Db = LibSQLDatabase<Record<string, never>> & { $client: Client };

const busyAttemptsMax = 60;
const busyWaitMaxMs = 80;

type Waits = { sleep: (ms: number) => Promise<unknown>; random: () => number };
const realWaits: Waits = {
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: Math.random,
};

/** The drizzle database over a guarded client. */
export function databaseOver(client: Client, waits: Waits = realWaits): Db {
  return drizzle(guardClient(client, waits));
}

/**
 * The same client, with what every caller needs: batches are write transactions, writes to a file go one at a time,
 * a busy database is asked again, and a database that is away becomes `unavailable`.
 */
export function guardClient(client: Client, waits: Waits = realWaits): Client {
  // Without a queue, every waiting write of this process would spend its own busy timeout on the event loop.
  const enqueue = client.protocol === "file" ? oneAtATime() : <T>(work: () => Promise<T>) => work();
  const attempt = <T>(work: () => Promise<T>) =>
    untilFree(client, work, waits).catch((error: unknown) => {
      throw isAway(error, client.protocol) ? unavailable(error) : error;
    });

  const execute = (statement: InStatement | string, args?: InArgs): Promise<ResultSet> => {
    const run = () =>
      typeof statement === "string" ? client.execute(statement, args) : client.execute(statement);
    return isRead(statement) ? attempt(run) : enqueue(() => attempt(run));
  };
  const guarded: Client = {
    execute,
    batch: (statements) => enqueue(() => attempt(() => client.batch(statements, "write"))),
    migrate: (statements) => client.migrate(statements),
    transaction: () => {
      throw new Error("Interactive transactions are not used: write a batch or a conditional statement.");
    },
    executeMultiple: (sql) => enqueue(() => attempt(() => client.executeMultiple(sql))),
    sync: () => client.sync(),
    close: () => client.close(),
    reconnect: () => client.reconnect(),
    get closed() {
      return client.closed;
    },
    get protocol() {
      return client.protocol;
    },
  };
  return guarded;
}

function isRead(statement: InStatement | string): boolean {
  const sql = typeof statement === "string" ? statement : statement.sql;
  return /^\s*select\b/i.test(sql);
}

function oneAtATime() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  };
}

/** A busy database has committed nothing, so the same statement may be sent again. */
async function untilFree<T>(client: Client, work: () => Promise<T>, waits: Waits): Promise<T> {
  let isStuck = false;
  for (let attempts = 1; ; attempts++) {
    try {
      if (isStuck) await reopen(client);
      isStuck = false;
      return await work();
    } catch (error) {
      if (!isBusy(error) && !wasReopened(client, error)) throw error;
      if (attempts >= busyAttemptsMax) throw unavailable(error);
      isStuck ||= isStuckInSnapshot(error);
      await waits.sleep(1 + waits.random() * Math.min(busyWaitMaxMs, 4 * attempts));
    }
  }
}

/**
 * A statement that failed half-way keeps its connection's snapshot open until it is collected as garbage; until then
 * every write of that connection is refused, however long it waits. Only a new connection helps.
 */
function isStuckInSnapshot(error: unknown): boolean {
  return error instanceof Error && "extendedCode" in error && error.extendedCode === "SQLITE_BUSY_SNAPSHOT";
}

async function reopen(client: Client): Promise<void> {
  await client.reconnect();
  if (client.protocol === "file") await applyPragmas(client);
}

/** Another caller has just replaced the connection under this one, before its statement was run. */
function wasReopened(client: Client, error: unknown): boolean {
  return codeOf(error) === "CLIENT_CLOSED" && !client.closed;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(codeOf(error));
}

/** The database did not answer, cannot be reached or has no room; over HTTP a failed `fetch` is a bare TypeError. */
function isAway(error: unknown, protocol: string): boolean {
  if (protocol !== "file" && error instanceof TypeError) return true;
  return /^(SERVER_ERROR|HRANA_|SQLITE_CANTOPEN|SQLITE_IOERR|SQLITE_FULL|CLIENT_CLOSED)/.test(codeOf(error));
}

function unavailable(cause: unknown): AppError {
  return new AppError("unavailable", "The database does not answer at the moment. Try again.", { cause });
}
