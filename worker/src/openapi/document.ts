import { type ApiRow, api, apiVersion } from "#contract/api";
import { operationOf, tagOf } from "./operation.ts";
import { type JsonObject, schemaWriter } from "./schemas.ts";

const about = `Sandboxes for code that nobody has to trust: make one, run commands in it, move files, end it.

Requests and answers are JSON; files are bytes. A request with a property or a query parameter that is not known is
refused. Every answer carries \`X-Request-Id\`. Errors are \`application/problem+json\` with a stable \`code\`.`;

const tagDescriptions: Record<string, string> = {
  sandboxes: "Make sandboxes, run commands in them, move files, and end them.",
  runs: "Run code or a command in a sandbox of its own, and keep what came of it.",
  keys: "API keys: who may call for a tenant, and what.",
  admin: "What operators may do, with the admin key: tenants, plans and hosts.",
  service: "What anybody may ask of the service itself.",
};

let written: JsonObject | undefined;

/** The whole API as OpenAPI 3.1, from the rows of the contract and nothing else; the same for the same contract. */
export function openApiDocument(): JsonObject {
  written ??= write(api);
  return written;
}

function write(rows: Record<string, ApiRow>): JsonObject {
  const schemas = schemaWriter();
  const paths: Record<string, JsonObject> = {};
  for (const [name, row] of Object.entries(rows)) {
    const path = row.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [row.method]: operationOf(name, row, schemas.write) };
  }
  const tags = [...new Set(Object.values(rows).map(tagOf))];
  return {
    openapi: "3.1.0",
    info: {
      title: "Sandgate",
      version: apiVersion,
      description: about,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    // Relative to where the document is: every deployment describes itself.
    servers: [{ url: "/" }],
    tags: tags.map((name) => ({
      name,
      description: tagDescriptions[name] ?? `Everything below \`/v1/${name}\`.`,
    })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "`Authorization: Bearer <API key>`" },
        adminKey: {
          type: "http",
          scheme: "bearer",
          description: "`Authorization: Bearer $SANDGATE_ADMIN_KEY`, which is the operator's",
        },
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key", description: "The same key in a header." },
      },
      headers: {
        RequestId: {
          description: "Name it when you ask about this answer.",
          schema: { type: "string", pattern: "^req_[a-z0-9]{20}$" },
        },
        RateLimitPolicy: {
          description: "The limit that holds: its name, `q` tokens at most, all of them back in `w` seconds.",
          schema: { type: "string", examples: ['"control";q=400;w=2'] },
        },
        RateLimit: {
          description: "What is left of that limit: `r` tokens, and `t` seconds until there are more.",
          schema: { type: "string", examples: ['"control";r=399;t=1'] },
        },
        RetryAfter: {
          description: "Seconds after which the same request may be sent again.",
          schema: { type: "integer", minimum: 0 },
        },
      },
      schemas: schemas.all(),
    },
  };
}
