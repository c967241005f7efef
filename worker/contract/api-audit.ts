import type { ApiRow } from "./api-row.ts";
import {
  AuditPage,
  AuditRecordPage,
  AuditVerdict,
  ListAudit,
  ListAuditRecords,
  VerifyAudit,
} from "./audit.ts";

const exampleEntry = {
  at: "2026-01-31T12:00:00.000Z",
  actor: "key:key_7c2b9n4t6r8hk3vq0d8m",
  action: "sandbox.created",
  subject: "hk3vq0d8m1x5z7c2b9n4t6r8",
  details: { template: "python" },
  requestId: "req_4f7w0m2k9x1c5v8b3n6q",
};

const examplePlace = { sequence: 20_000, hash: "5c8f6e0d1b7a4e239f0c6d8b5a1e7f32".repeat(2) };

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
  listAuditRecords: {
    method: "get",
    path: "/admin/v1/audit",
    summary: "List what was changed in the whole service, newest first",
    scope: "operator",
    tokens: 0,
    query: ListAuditRecords,
    result: AuditRecordPage,
    status: 200,
    errors: [],
    example: {
      query: { action: "sandbox.created", limit: "10" },
      result: {
        items: [
          {
            ...exampleEntry,
            sequence: examplePlace.sequence,
            tenantId: "ten_7c2b9n4t6r8hk3vq0d8m",
            hash: examplePlace.hash,
          },
        ],
      },
    },
  },
  verifyAudit: {
    method: "post",
    path: "/admin/v1/audit/verify",
    summary: "Look for the first row of the audit that was removed, changed or put in; 20,000 rows at a time",
    scope: "operator",
    tokens: 0,
    body: VerifyAudit,
    result: AuditVerdict,
    status: 200,
    errors: [],
    example: {
      body: { after: { ...examplePlace, sequence: 1 } },
      result: { isIntact: true, isComplete: false, checked: 20_000, through: examplePlace },
    },
  },
} as const satisfies Record<string, ApiRow>;
