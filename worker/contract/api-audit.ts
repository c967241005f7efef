import type { ApiRow } from "./api-row.ts";
import { AuditPage, ListAudit } from "./audit.ts";

const exampleEntry = {
  at: "2026-01-31T12:00:00.000Z",
  actor: "key:key_7c2b9n4t6r8hk3vq0d8m",
  action: "sandbox.created",
  subject: "hk3vq0d8m1x5z7c2b9n4t6r8",
  details: { template: "python" },
  requestId: "req_4f7w0m2k9x1c5v8b3n6q",
};

export const auditRows = {
  listAudit: {
    method: "get",
    path: "/v1/audit",
    summary: "List what was changed, by whom, newest first",
    scope: "audit:read",
    tokens: 1,
    query: ListAudit,
    result: AuditPage,
    status: 200,
    errors: [],
    example: {
      query: { action: "sandbox.created", from: "2026-01-01T00:00:00Z", limit: "10" },
      result: { items: [exampleEntry] },
    },
  },
} as const satisfies Record<string, ApiRow>;
