import type * as z from "zod";
import type { ApiRow } from "#contract/api";
import { type ErrorCode, errorTable, Problem } from "#contract/errors";
import { eventStreamType } from "#contract/events";
import { IdempotencyKey } from "#contract/idempotency";
import { RunId, SandboxId } from "#contract/ids";
import { Quote } from "#contract/quote";
import { errorsByStatus } from "./errors.ts";
import { asObject, type Json, type JsonObject, type schemaWriter } from "./schemas.ts";

const idsOf: Record<string, z.ZodType> = { sandboxes: SandboxId, runs: RunId };

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
    ...(row.scope !== null && { description: `Needs a key with the scope \`${row.scope}\`.` }),
    security: row.scope === null ? [] : [{ bearer: [] }, { apiKey: [] }],
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
    },
  };
}

/** `/v1/sandboxes/:id/exec` is about sandboxes, what is outside of `/v1` about the service. */
export function tagOf(row: Pick<ApiRow, "path">): string {
  return /^\/v1\/([a-z-]+)/.exec(row.path)?.[1] ?? "service";
}

function parametersOf(row: ApiRow, write: Write): JsonObject[] {
  const inPath = [...row.path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    ...(name === "id" && { description: `Which of the ${tagOf(row)}.` }),
    // Ids without a schema in this table are texts until they have one.
    schema: schemaOfId(name === "id" ? idsOf[tagOf(row)] : undefined, write),
  }));
  const inHeader: JsonObject[] = row.isIdempotent
    ? [
        {
          name: "Idempotency-Key",
          in: "header",
          required: false,
          description:
            "Sent again with the same key and body within 24 hours, the request makes nothing new.",
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

const schemaOfId = (id: z.ZodType | undefined, write: Write) =>
  id ? write(id, "input") : { type: "string" };

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

const requestIdOnly = { "X-Request-Id": { $ref: "#/components/headers/RequestId" } };

function successOf(row: ApiRow, write: Write): JsonObject {
  if (row.status === 204) return { description: "Done; there is nothing to say.", headers: requestIdOnly };
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
  return { description: row.status === 201 ? "Made." : "Done.", headers: requestIdOnly, content };
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
