import { type Client, type InArgs, type InStatement, LibsqlError, type ResultSet } from "@libsql/client";
import Database from "libsql";
import { type FileStatement, inOurWords, prepareFileStatement } from "./node-statement.ts";
import { pragmas } from "./pragmas.ts";

/** All that the stores ask is a few dozen texts; lists with as many parameters as rows make the rest. */
const preparedMax = 300;
/**
 * A statement that has met a lock stays half-way, which fails every commit of its connection, until it is run again. So
 * a write begins by taking the lock: then only `BEGIN IMMEDIATE` can meet one, and that is run again before any commit.
 */
const writes = /^\s*(?:insert|update|delete|replace)\b/i;
const begin = { write: "BEGIN IMMEDIATE", read: "BEGIN TRANSACTION READONLY", deferred: "BEGIN DEFERRED" };

/**
 * A database file over the engine that the library's own client is made of, with statements that stay prepared: that
 * client prepares and describes each one anew, which takes ten times as long as to run it. One connection, and every
 * call is done in one go, so nothing of one caller is ever within another's transaction.
 * @throws LibsqlError when the file cannot be opened
 */
export function openFileClient(path: string): Client {
  const connection = new FileConnection(path);
  return {
    // Async, so that what fails is a rejection.
    execute: async (statement: InStatement, args?: InArgs) => connection.run(asStatement([statement, args])),
    batch: async (statements, mode = "deferred") =>
      connection.inTransaction(begin[mode], statements.map(asStatement)),
    executeMultiple: async (sql) => void inOurWords(() => connection.open.exec(sql)),
    migrate: notUsed,
    transaction: notUsed,
    sync: notUsed,
    reconnect: () => connection.reconnect(),
    close: () => connection.close(),
    get closed() {
      return connection.isClosed;
    },
    protocol: "file",
  };
}

type Statement = { sql: string; args?: InArgs };

function asStatement(given: InStatement | [InStatement, (InArgs | undefined)?]): Statement {
  const [statement, args] = Array.isArray(given) ? given : [given, undefined];
  return typeof statement === "string" ? { sql: statement, args: args ?? [] } : statement;
}

async function notUsed(): Promise<never> {
  throw new Error("Write a batch or a conditional statement.");
}

class FileConnection {
  readonly #path: string;
  readonly #prepared = new Map<string, FileStatement>();
  #db: Database.Database;

  constructor(path: string) {
    this.#path = path;
    this.#db = inOurWords(() => new Database(path));
  }

  get isClosed(): boolean {
    return !this.#db.open;
  }

  /** @throws LibsqlError `CLIENT_CLOSED` */
  get open(): Database.Database {
    if (this.#db.open) return this.#db;
    throw new LibsqlError("The client is closed.", "CLIENT_CLOSED");
  }

  /** Runs one statement, a write in a transaction of its own. */
  run(statement: Statement): ResultSet {
    if (!writes.test(statement.sql) || this.open.inTransaction) return this.#run(statement);
    const [result] = this.inTransaction(begin.write, [statement]);
    if (!result) throw new Error("A transaction has a result for each of its statements.");
    return result;
  }

  inTransaction(beginning: string, statements: readonly Statement[]): ResultSet[] {
    this.#run({ sql: beginning });
    try {
      const results = statements.map((statement) => {
        // The engine may have given the transaction up by itself; what follows must not be done outside of it.
        if (this.#db.inTransaction) return this.#run(statement);
        throw new LibsqlError("The transaction has been rolled back.", "TRANSACTION_CLOSED");
      });
      this.#run({ sql: "COMMIT" });
      return results;
    } finally {
      if (this.#db.inTransaction) this.#rollBack();
    }
  }

  #run({ sql, args = [] }: Statement): ResultSet {
    const statement = this.#prepared.get(sql) ?? prepareFileStatement(this.open, sql);
    this.#prepared.delete(sql); // so that the one not used for longest is the first
    this.#prepared.set(sql, statement);
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size > preparedMax && oldest !== undefined) this.#prepared.delete(oldest);
    return statement(args);
  }

  #rollBack(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // With the connection goes its transaction, which nothing else could end.
      this.reconnect();
    }
  }

  /** @throws LibsqlError `SQLITE_BUSY` when another process has the file locked just then */
  reconnect(): void {
    this.close();
    this.#db = inOurWords(() => new Database(this.#path));
    for (const pragma of pragmas) inOurWords(() => this.#db.exec(`PRAGMA ${pragma}`));
  }

  close(): void {
    this.#prepared.clear();
    if (this.#db.open) this.#db.close();
  }
}
