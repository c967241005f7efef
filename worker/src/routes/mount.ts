import type { Hono } from "hono";
import type * as z from "zod";
import { type ApiName, type ApiRow, api } from "#contract/api";
import { IdempotencyKey, idempotencyKeyHeader, replayedHeader } from "#contract/idempotency";
import { type Resource, resourceOf, resources } from "#contract/resources";
import type { Keyring } from "../auth/keyring.ts";
import { withProtocolKey } from "../auth/protocol-key.ts";
import type { Clock, Ctx, RequestCtx } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError, notFound } from "../errors.ts";
import type { Made } from "../idempotency/once.ts";
import { openBytes, readJson } from "../middleware/body.ts";
import { confine, requireCaller } from "../middleware/caller.ts";
import { requireOperator } from "../middleware/operator.ts";
import { answerProblem } from "../middleware/problem.ts";
import { invalid, parseQuery, parseWith, withMetadata } from "../middleware/query.ts";
import { limitTimes, type RateDeps } from "../middleware/rate-limit.ts";
import type { HonoContext, HonoEnv, RequestState } from "../middleware/state.ts";
import type { FileBody } from "../providers/provider.ts";

export type App = Hono<HonoEnv>;
export type MountDeps = RateDeps & {
  db: Db;
  keyring: Keyring;
  now: Clock;
  adminKey: string;
  /** Checks every result against its row; off in production, where it would only cost time. */
  isCheckingResults: boolean;
};

type Row<N extends ApiName> = (typeof api)[N];
type Parsed<R, K extends string> = R extends Record<K, infer S extends z.ZodType> ? z.output<S> : undefined;
type IdIn<Path> = Path extends `${string}/v1/${infer R extends Resource}/:id${string}`
  ? z.output<(typeof resources)[R]["id"]>
  : undefined;
/** What a handler gets, all of it read off its row. */
export type Input<N extends ApiName> = {
  ctx: Row<N>["scope"] extends null | "operator" ? RequestCtx : Ctx;
  id: IdIn<Row<N>["path"]>;
  query: Parsed<Row<N>, "query">;
  body: Row<N> extends { rawBodyMaxBytes: number } ? FileBody : Parsed<Row<N>, "body">;
  /** For `once`, on rows that make something. */
  asked: Row<N> extends { isIdempotent: true } ? Asked : undefined;
  /** What few handlers look at: headers, the method of a HEAD, and parts of the path other than the sandbox. */
  request: Request;
  params: Record<string, string>;
};
export type Asked = { key: string | null; method: string; path: string; body: unknown };
export type Answer<N extends ApiName> =
  Row<N> extends { result: infer S extends z.ZodType }
    ? Promise<
        | (Row<N> extends { isIdempotent: true } ? Made<z.output<S>> : z.output<S>)
        | (Row<N> extends { orStream: true } | { orQuote: true } ? Response : never)
      >
    : Row<N>["status"] extends 204
      ? Promise<void>
      : Promise<Response>;
export type Handler<N extends ApiName> = (input: Input<N>) => Answer<N>;

type AnyInput = Pick<Input<ApiName>, "request" | "params"> &
  Record<"id" | "query" | "body" | "asked", unknown> & { ctx: RequestCtx };

/** Serves one row of the contract: its scope, its parsing, its limits and its answer all come from there. */
export function mount<N extends ApiName>(app: App, deps: MountDeps, name: N, handler: Handler<N>): void {
  const row: ApiRow = api[name];
  // The parts were parsed by this very row's schemas, which is what `Input<N>` is derived from.
  const handle = handler as unknown as (input: AnyInput) => Promise<unknown>;
  const serve = async (c: HonoContext) => {
    c.get("state").route = name;
    try {
      const answered = answer(deps, row, await handle(await inputOf(deps, row, c)));
      // A HEAD is served as its GET without the bytes, which nobody would ever read.
      if (c.req.raw.method === "HEAD") await answered.body?.cancel();
      return answered;
    } catch (error) {
      return answerProblem(c, error);
    }
  };
  if (row.isProxy) app.all(row.path, serve);
  else app.on(row.method.toUpperCase(), row.path, serve);
}

/** Cheap refusals first: the key and its scope before the address, the address before the body. */
async function inputOf(deps: MountDeps, row: ApiRow, c: HonoContext): Promise<AnyInput> {
  const state = c.get("state");
  const request = c.req.raw;
  const headers = row.isWebSocket ? withProtocolKey(request.headers) : request.headers;
  const ctx = await admit(deps, row, state, headers);
  const authenticatedAtMs = deps.now();
  const id = row.path.includes("/:id") ? idOf(row, c) : undefined;
  if (state.caller) confine(state.caller, row, id);
  const query = row.isProxy ? undefined : queryOf(row, request.url);
  // Before the body, which is the dearer one to read.
  const key = row.isIdempotent ? keyOf(request.headers) : null;
  let body: unknown;
  if (row.rawBodyMaxBytes !== undefined) body = openBytes(request, row.rawBodyMaxBytes);
  else if (row.body) body = parseWith(row.body, await readJson(request));
  if (row.tokensTimes) await limitTimes(deps, state, row.tokensTimes, body);
  ctx.note("authMs", authenticatedAtMs - state.startedAtMs);
  ctx.note("parseMs", deps.now() - authenticatedAtMs);
  const asked = row.isIdempotent && { key, method: request.method, path: row.path, body };
  return { ctx, id, query, body, asked, request, params: c.req.param() };
}

/** Whoever the row is for. An operator has no tenant, and a tenant's key is nothing to an operator's row. */
async function admit(
  deps: MountDeps,
  row: ApiRow,
  state: RequestState,
  headers: Headers,
): Promise<RequestCtx> {
  if (row.scope === null) return state.ctx;
  if (row.scope !== "operator") return requireCaller(deps, state, headers, row);
  await requireOperator(deps.adminKey, headers);
  return state.ctx;
}

function keyOf(headers: Headers): string | null {
  const sent = headers.get(idempotencyKeyHeader);
  if (sent === null) return null;
  const key = IdempotencyKey.safeParse(sent);
  if (key.success) return key.data;
  throw invalid(key.error.issues.map(({ message }) => ({ path: "Idempotency-Key", message })));
}

/** @throws AppError not found: an id that cannot be one is an id that nobody has. */
export function idOf(row: Pick<ApiRow, "path">, c: HonoContext): string {
  const resource = resourceOf(row.path);
  if (resource === undefined)
    throw new Error(`The contract does not say what :id stands for in ${row.path}.`);
  const id = resources[resource].id.safeParse(c.req.param("id"));
  if (!id.success) throw notFound(resource);
  c.get("state").facts[resources[resource].fact] = id.data;
  return id.data;
}

function queryOf(row: ApiRow, url: string): unknown {
  const sent = parseQuery(url);
  return row.query ? parseWith(row.query, withMetadata(sent)) : refuseQuery(sent);
}

function refuseQuery(sent: Record<string, string>): undefined {
  const names = Object.keys(sent);
  if (names.length === 0) return undefined;
  throw new AppError("invalid_request", "This endpoint takes no query parameters.", {
    issues: [{ path: "query", message: "has parameters that are not known" }],
  });
}

function answer(deps: MountDeps, row: ApiRow, result: unknown): Response {
  if (result instanceof Response) return result;
  if (row.status === 204) return new Response(null, { status: 204 });
  // Rows that make something answer through `once`, which knows the status: the types of `Answer` see to it.
  const made = row.isIdempotent
    ? (result as Made<unknown>)
    : { status: row.status, result, isReplayed: false };
  if (deps.isCheckingResults) row.result?.parse(made.result);
  return new Response(JSON.stringify(made.result), {
    status: made.status,
    headers: {
      "content-type": "application/json",
      "x-content-type-options": "nosniff",
      ...(made.isReplayed && { [replayedHeader]: "true" }),
    },
  });
}
