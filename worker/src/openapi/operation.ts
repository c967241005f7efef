import type { ApiRow } from "#contract/api";
import { type ErrorCode, errorTable, Problem } from "#contract/errors";
import { eventStreamType } from "#contract/events";
import { IdempotencyKey } from "#contract/idempotency";
import { Quote } from "#contract/quote";
import { resourceOf, resources } from "#contract/resources";
import { errorsByStatus } from "./errors.ts";
import { asObject, type Json, type JsonObject, type schemaWriter } from "./schemas.ts";

type Write = ReturnType<typeof schemaWriter>["write"];

const bytesType = "application/octet-stream";

/** One row of the contract as an OpenAPI operation. */
export function operationOf(name: string, row: ApiRow, write: Write): JsonObject {
  const parameters = parametersOf(row, write);
  const requestBody = requestBodyOf(row, write);
  return {
    operationId: name,
    tags: [tagOf(row)],
    summary: row.summary,
    ...(row.scope !== null && { description: needOf(row) }),
    security: securityOf(row),
    ...(parameters.length > 0 && { parameters }),
    ...(requestBody && { requestBody }),
    responses: {
      [String(row.status)]: successOf(row, write),
      ...(row.pendingStatus !== undefined && {
        [String(row.pendingStatus)]: { ...successOf(row, write), description: "Under way." },
      }),
      ...(row.partialStatus !== undefined && {
        [String(row.partialStatus)]: { ...successOf(row, write), description: "Made in part." },
      }),
      ...(row.orQuote && { "200": quoteOf(row, write) }),
      ...problemsOf(row, write),
      // What a tool looks for that knows no other success than 2XX.
      ...(row.isWebSocket && { default: { description: "Every other answer is a problem." } }),
    },
  };
}

function needOf(row: ApiRow): string {
  if (row.scope === "operator") return "Needs the admin key.";
  const tokens = row.isForKeysOnly ? " The token of a sandbox will not do." : "";
  return `Needs a key with the scope \`${row.scope}\`.${tokens}${costOf(row)}`;
}

function securityOf({ scope }: ApiRow): JsonObject[] {
  if (scope === null) return [];
  return scope === "operator" ? [{ adminKey: [] }] : [{ bearer: [] }, { apiKey: [] }];
}

/** `/v1/sandboxes/:id/exec` is about sandboxes, `/admin/v1` for operators, what is outside of both about the service. */
export function tagOf({ path }: Pick<ApiRow, "path">): string {
  return path.startsWith("/admin/") ? "admin" : (/^\/v1\/([a-z-]+)/.exec(path)?.[1] ?? "service");
}

function parametersOf(row: ApiRow, write: Write): JsonObject[] {
  const inPath = [...row.path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    ...(name === "id" && { description: `Which of the ${resourceOf(row.path)}.` }),
    // Other ids are texts until they have a schema.
    schema: name === "id" ? schemaOfId(row, write) : { type: "string" },
  }));
  const inHeader: JsonObject[] = row.isIdempotent
    ? [
        {
          name: "Idempotency-Key",
          in: "header",
          required: false,
          description: `Sent again with the same key and body within 24 hours, the request makes nothing new${row.errors.includes("already_created") ? " and is told so: what is secret is shown once" : ""}.`,
          schema: write(IdempotencyKey, "input"),
        },
      ]
    : [];
  const query = row.query ? write(row.query, "input") : {};
  const required = Array.isArray(query.required) ? query.required : [];
  const inQuery = Object.entries(asObject(query.properties)).map(([name, property]) => {
    const { description, ...schema } = asObject(property);
    const example = row.example?.query?.[name];
    return {
      name,
      in: "query",
      required: required.includes(name),
      ...(description !== undefined && { description }),
      schema,
      ...(example !== undefined && { example }),
    };
  });
  return [...inPath, ...inHeader, ...inQuery];
}

function schemaOfId({ path }: ApiRow, write: Write): JsonObject {
  const resource = resourceOf(path);
  return resource ? write(resources[resource].id, "input") : { type: "string" };
}

function requestBodyOf(row: ApiRow, write: Write): JsonObject | undefined {
  if (row.rawBodyMaxBytes !== undefined) {
    return {
      description: `At most ${row.rawBodyMaxBytes} bytes, streamed.`,
      required: true,
      content: { [bytesType]: {} },
    };
  }
  if (!row.body) return undefined;
  // A row's example is JSON: it is what a test sends.
  const example = row.example?.body as Json | undefined;
  const content = { schema: write(row.body, "input"), ...(example !== undefined && { example }) };
  return { required: true, content: { "application/json": content } };
}

/** What it takes from the bucket of its class. */
function costOf({ tokens, tokensTimes, rateClass = "control" }: ApiRow): string {
  if (tokens === 0) return "";
  const times = tokensTimes === undefined ? "" : ` times \`${tokensTimes}\``;
  return ` Takes ${tokens} ${tokens === 1 ? "token" : "tokens"}${times} of the class \`${rateClass}\`.`;
}

const requestIdOnly = { "X-Request-Id": { $ref: "#/components/headers/RequestId" } };

const rateFields = {
  "RateLimit-Policy": { $ref: "#/components/headers/RateLimitPolicy" },
  RateLimit: { $ref: "#/components/headers/RateLimit" },
};

function successOf(row: ApiRow, write: Write): JsonObject {
  const headers = { ...requestIdOnly, ...(row.tokens > 0 && rateFields) };
  if (row.status === 204) return { description: "Done; there is nothing to say.", headers };
  if (row.isWebSocket) return { description: "A WebSocket is open.", headers: requestIdOnly };
  const example = row.example?.result as Json | undefined;
  const content: JsonObject = row.result
    ? {
        "application/json": {
          schema: write(row.result, "output"),
          ...(example !== undefined && { example }),
        },
        ...(row.orStream && { [eventStreamType]: {} }),
      }
    : { [row.resultType ?? bytesType]: {} };
  return { description: row.status === 201 ? "Made." : "Done.", headers, content };
}

/** With `?quote=true`; a row that answers 200 otherwise too says both. */
function quoteOf(row: ApiRow, write: Write): JsonObject {
  const quote = write(Quote, "output");
  if (row.status !== 200 || !row.result) {
    const content = { "application/json": { schema: quote } };
    return { description: "What it would cost; nothing was made.", headers: requestIdOnly, content };
  }
  const example = row.example?.result as Json | undefined;
  const schema = { anyOf: [write(row.result, "output"), quote] };
  const content = { "application/json": { schema, ...(example !== undefined && { example }) } };
  return { description: "Done; or what it would cost.", headers: requestIdOnly, content };
}

function problemsOf(row: ApiRow, write: Write): JsonObject {
  const problem = write(Problem, "output");
  return Object.fromEntries(
    errorsByStatus(row).map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\`: ${errorTable[code].title}.`).join(" "),
        headers: {
          ...requestIdOnly,
          ...(codes.some((code) => errorTable[code].retryable) && {
            "Retry-After": { $ref: "#/components/headers/RetryAfter" },
          }),
          ...(codes.includes("rate_limited") && rateFields),
        },
        content: {
          "application/problem+json": {
            schema: { allOf: [problem, { properties: { code: { enum: codes } } }] },
            examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
          },
        },
      },
    ]),
  );
}

function exampleOf(code: ErrorCode): JsonObject {
  const { status, title, retryable } = errorTable[code];
  const detail = `${title}.`;
  const requestId = "req_4f7w0m2k9x1c5v8b3n6q";
  return { type: `urn:sandgate:error:${code}`, title, status, detail, code, requestId, retryable };
}
