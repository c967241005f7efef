-- One row for each change that matters, written in the batch that makes it. AUTOINCREMENT never gives a number twice
-- and leaves none out, so a row that was removed shows before it is sealed too.
CREATE TABLE audit (
  sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  tenant_id TEXT,
  at_ms INTEGER NOT NULL,
  -- 'key:key_...', 'operator', 'host:hst_...' or 'system'.
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  details TEXT NOT NULL CHECK (json_valid(details)),
  request_id TEXT,
  -- SHA-256 over the row before and this one; `null` until it was sealed, a moment later.
  hash TEXT
) STRICT;
CREATE INDEX audit_by_tenant ON audit (tenant_id, sequence);
CREATE INDEX audit_unsealed ON audit (sequence) WHERE hash IS NULL;
