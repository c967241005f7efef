import type { ApiRow } from "./api-row.ts";
import { Health, Ready } from "./meta.ts";

/** What anybody may ask of the service itself. */
export const serviceRows = {
  healthz: {
    method: "get",
    path: "/healthz",
    summary: "Is the process up",
    scope: null,
    tokens: 0,
    result: Health,
    status: 200,
    errors: [],
    example: { result: { status: "ok" } },
  },
  readyz: {
    method: "get",
    path: "/readyz",
    summary: "Is the database there; `degraded` while no host is heard",
    scope: null,
    tokens: 0,
    result: Ready,
    status: 200,
    errors: ["unavailable"],
    example: { result: { status: "ok", checks: { database: true, host: true } } },
  },
  openapi: {
    method: "get",
    path: "/openapi.json",
    summary: "This API as an OpenAPI 3.1 document",
    scope: null,
    tokens: 0,
    resultType: "application/json",
    status: 200,
    errors: [],
    example: {},
  },
  docs: {
    method: "get",
    path: "/docs",
    summary: "This API as a page to read",
    scope: null,
    tokens: 0,
    resultType: "text/html",
    status: 200,
    errors: [],
    example: {},
  },
} as const satisfies Record<string, ApiRow>;
