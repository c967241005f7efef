-- What was asked for with an Idempotency-Key. Neither the key nor the request is kept, only keyed hashes of them; the
-- answer is.
CREATE TABLE idempotency (
  -- Of tenant, method, path and key.
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 64),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  -- Of the request, its body included.
  fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
  -- Which request is at work; one that is not heard of by the end of its lease is taken for dead.
  owner TEXT NOT NULL,
  lease_until_ms INTEGER NOT NULL,
  -- What it makes. The row is written in one batch with that of the resource.
  resource_id TEXT NOT NULL,
  status INTEGER,
  body TEXT,
  created_at_ms INTEGER NOT NULL,
  CHECK ((status IS NULL) = (body IS NULL))
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_at_ms);
