import { type ApiRow, onSandbox, sandbox } from "./api-row.ts";
import { CreateKey, Key, KeyPage, NewKey } from "./key.ts";
import { PlainPageQuery } from "./page.ts";
import { CreateToken, SandboxToken } from "./token.ts";

const key = "/v1/keys/:id";

export const exampleKey = {
  id: "key_9n4t6r8hk3vq0d8m1x5z",
  name: "ci",
  prefix: "e2b_3f9a1c",
  scopes: ["runs:read", "runs:write"],
  templates: ["base"],
  budget: { monthlyCapMicros: 5_000_000 },
  rate: { requestsPerSecond: 10, burst: 20 },
  createdAt: "2026-01-31T12:00:00.000Z",
  expiresAt: "2026-03-02T12:00:00.000Z",
};
/** What may come of a request that makes a key. */
export const onMakingKeys = [
  "already_created",
  "idempotency_mismatch",
  "template_not_found",
  "quota_exceeded",
] as const;

export const keyExample = {
  body: {
    name: "ci",
    scopes: ["runs:read", "runs:write"],
    templates: ["python"],
    expiresInSeconds: 2_592_000,
    budget: { monthlyCapMicros: 5_000_000 },
    rate: { requestsPerSecond: 10, burst: 20 },
  },
  result: { ...exampleKey, key: "e2b_3f9a1c0b7d2e8f4a6c5b9d1e3f7a2c4b6d8e0f1a" },
};

export const keyRows = {
  createKey: {
    method: "post",
    path: "/v1/keys",
    summary:
      "Create an API key, which is shown once; it gets nothing that the key of the request does not have",
    scope: "keys:write",
    tokens: 5,
    body: CreateKey,
    isIdempotent: true,
    result: NewKey,
    status: 201,
    errors: onMakingKeys,
    example: keyExample,
  },
  listKeys: {
    method: "get",
    path: "/v1/keys",
    summary: "List the keys that are not revoked, newest first",
    scope: "keys:read",
    tokens: 1,
    query: PlainPageQuery,
    result: KeyPage,
    status: 200,
    errors: [],
    example: { query: { limit: "10" }, result: { items: [exampleKey] } },
  },
  getKey: {
    method: "get",
    path: key,
    summary: "Read one key, revoked or not",
    scope: "keys:read",
    tokens: 1,
    result: Key,
    status: 200,
    errors: ["key_not_found"],
    example: { result: exampleKey },
  },
  revokeKey: {
    method: "delete",
    path: key,
    summary: "Revoke a key; within 5 seconds nothing takes it any more",
    scope: "keys:write",
    tokens: 1,
    status: 204,
    errors: ["key_not_found"],
    example: {},
  },
  createSandboxToken: {
    method: "post",
    path: `${sandbox}/tokens`,
    summary: "Create a token that may act on this sandbox alone and expires with it",
    scope: "sandbox:write",
    tokens: 1,
    isForKeysOnly: true,
    body: CreateToken,
    result: SandboxToken,
    status: 201,
    errors: onSandbox,
    example: {
      body: { scopes: ["exec", "files:read"], expiresInSeconds: 300 },
      result: {
        token: `sbt_hk3vq0d8m1x5z7c2b9n4t6r8_7c2b9n4t6r8hk3vq0d8m_9n4t6r8hk3vq0d8m1x5z_c_t9g2dc_${"4f".repeat(16)}`,
        sandboxId: "hk3vq0d8m1x5z7c2b9n4t6r8",
        scopes: ["exec", "files:read"],
        expiresAt: "2026-01-31T12:05:00.000Z",
      },
    },
  },
} as const satisfies Record<string, ApiRow>;
