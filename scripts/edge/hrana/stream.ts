import Database from "libsql";
import { readsOnly, runStatement } from "./statement.ts";
import {
  type Batch,
  type BatchResult,
  type Condition,
  type StatementResult,
  type StreamRequest,
  type StreamResult,
  type WireError,
  wireError,
} from "./wire.ts";
import type { WriteLock } from "./write-lock.ts";

const storedTextsMax = 500;

class StreamError extends Error {
  readonly code = "HRANA_PROTO_ERROR";
}

/** One Hrana stream: a connection of its own, which holds the write lock for as long as it is in a transaction. */
export class Stream {
  readonly #db: Database.Database;
  readonly #lock: WriteLock;
  readonly #texts = new Map<number, string>();
  #release: (() => void) | undefined;

  constructor(path: string, lock: WriteLock) {
    this.#lock = lock;
    this.#db = new Database(path);
    for (const pragma of ["journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"])
      this.#db.exec(`PRAGMA ${pragma}`);
  }

  get isClosed(): boolean {
    return !this.#db.open;
  }

  async run(request: StreamRequest): Promise<StreamResult> {
    try {
      if (this.isClosed) throw new StreamError("The stream is closed.");
      if (this.#writes(request)) this.#release ??= await this.#lock.acquire();
      return { type: "ok", response: { type: request.type, ...this.#answer(request) } };
    } catch (error) {
      return { type: "error", error: wireError(error) };
    } finally {
      if (!this.isClosed && !this.#db.inTransaction) this.#unlock();
    }
  }

  /** Rolls back what is open, and lets the next writer go on. */
  close(): void {
    if (this.#db.open) {
      // The engine closes a connection for good when it is collected as garbage; until then its transaction would live.
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      this.#db.close();
    }
    this.#unlock();
  }

  #unlock(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #answer(request: StreamRequest): Record<string, unknown> {
    switch (request.type) {
      case "execute":
        return { result: this.#execute(request.stmt) };
      case "batch":
        return { result: this.#batch(request.batch) };
      case "sequence":
        this.#db.exec(this.#textOf(request));
        return {};
      case "get_autocommit":
        return { is_autocommit: !this.#db.inTransaction };
      case "store_sql":
        if (this.#texts.size >= storedTextsMax) throw new StreamError("Too many stored texts.");
        this.#texts.set(request.sql_id, request.sql);
        return {};
      case "close_sql":
        this.#texts.delete(request.sql_id);
        return {};
      case "close":
        this.close();
        return {};
    }
  }

  #execute(statement: Batch["steps"][number]["stmt"]): StatementResult {
    return runStatement(this.#db, this.#textOf(statement), statement);
  }

  /** Every step whose condition holds is run; a step that fails is on record and the next one is looked at. */
  #batch({ steps }: Batch): BatchResult {
    const results: (StatementResult | null)[] = [];
    const errors: (WireError | null)[] = [];
    for (const { condition, stmt } of steps) {
      let result: StatementResult | null = null;
      let error: WireError | null = null;
      try {
        if (!condition || this.#holds(condition, results, errors)) result = this.#execute(stmt);
      } catch (cause) {
        error = wireError(cause);
      }
      results.push(result);
      errors.push(error);
    }
    return { step_results: results, step_errors: errors };
  }

  #holds(condition: Condition, results: unknown[], errors: unknown[]): boolean {
    switch (condition.type) {
      case "ok":
        return (results[condition.step] ?? null) !== null;
      case "error":
        return (errors[condition.step] ?? null) !== null;
      case "not":
        return !this.#holds(condition.cond, results, errors);
      case "and":
        return condition.conds.every((cond) => this.#holds(cond, results, errors));
      case "or":
        return condition.conds.some((cond) => this.#holds(cond, results, errors));
      case "is_autocommit":
        return !this.#db.inTransaction;
    }
  }

  #textOf({ sql, sql_id }: { sql?: string | null | undefined; sql_id?: number | null | undefined }): string {
    const text = sql ?? (typeof sql_id === "number" ? this.#texts.get(sql_id) : undefined);
    if (text === undefined) throw new StreamError("The statement has no text.");
    return text;
  }

  #writes(request: StreamRequest): boolean {
    switch (request.type) {
      case "execute":
        return !readsOnly(this.#textOf(request.stmt));
      case "batch":
        return request.batch.steps.some(({ stmt }) => !readsOnly(this.#textOf(stmt)));
      case "sequence":
        return true;
      default:
        return false;
    }
  }
}
