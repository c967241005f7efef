-- What a month of UTC ('2026-01') is billed by, as it was at its first use.
CREATE TABLE price_sheets (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  month TEXT NOT NULL,
  sheet TEXT NOT NULL CHECK (json_valid(sheet)),
  PRIMARY KEY (tenant_id, month)
) STRICT, WITHOUT ROWID;

-- The most that each sandbox can cost, taken before it is made and given back as far as it was not used. It is
-- settled when all that its host has metered is here, or when nobody can still be expected to say.
CREATE TABLE holds (
  sandbox_id TEXT NOT NULL PRIMARY KEY,
  generation INTEGER NOT NULL CHECK (generation >= 1),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  key_id TEXT NOT NULL,
  template TEXT NOT NULL,
  metadata TEXT NOT NULL CHECK (json_valid(metadata)),
  -- Of the whole life, at the size and lifetime that the sandbox has by now.
  lifetime_seconds INTEGER NOT NULL CHECK (lifetime_seconds > 0),
  cpu_ms INTEGER NOT NULL CHECK (cpu_ms >= 0),
  memory_mib_seconds INTEGER NOT NULL CHECK (memory_mib_seconds >= 0),
  disk_mib_seconds INTEGER NOT NULL CHECK (disk_mib_seconds >= 0),
  egress_kib INTEGER NOT NULL CHECK (egress_kib >= 0),
  paused_mib_seconds INTEGER NOT NULL DEFAULT 0 CHECK (paused_mib_seconds >= 0),
  -- A cap of the sandbox's own: then this much money is held in place of the quantities.
  cap_micros INTEGER CHECK (cap_micros > 0),
  used_cpu_ms INTEGER NOT NULL DEFAULT 0,
  used_memory_mib_seconds INTEGER NOT NULL DEFAULT 0,
  used_disk_mib_seconds INTEGER NOT NULL DEFAULT 0,
  used_egress_kib INTEGER NOT NULL DEFAULT 0,
  used_paused_mib_seconds INTEGER NOT NULL DEFAULT 0,
  events_seen INTEGER NOT NULL DEFAULT 0,
  -- Known from the final one.
  events_expected INTEGER,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  settled_at_ms INTEGER
) STRICT;
CREATE INDEX holds_open_by_tenant ON holds (tenant_id, key_id) WHERE settled_at_ms IS NULL;
CREATE INDEX holds_open_by_deadline ON holds (expires_at_ms) WHERE settled_at_ms IS NULL;
CREATE INDEX holds_settled ON holds (settled_at_ms) WHERE settled_at_ms IS NOT NULL;

-- How many sandboxes a tenant has made on a day of UTC.
CREATE TABLE creates_by_day (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  day TEXT NOT NULL,
  creates INTEGER NOT NULL CHECK (creates >= 0),
  PRIMARY KEY (tenant_id, day)
) STRICT, WITHOUT ROWID;

-- The ledger. Never changed but for `applied_at_ms`; everything below can be made anew from it.
CREATE TABLE usage_events (
  -- Sandbox, generation and sequence.
  id TEXT NOT NULL PRIMARY KEY,
  sandbox_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  sequence INTEGER NOT NULL CHECK (sequence >= 1),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  key_id TEXT NOT NULL,
  template TEXT NOT NULL,
  metadata TEXT NOT NULL CHECK (json_valid(metadata)),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL CHECK (to_ms >= from_ms),
  -- '2026-01-31T12', of UTC.
  hour TEXT NOT NULL,
  -- What it is billed in: its own, unless that was closed before it came.
  month TEXT NOT NULL,
  cpu_ms INTEGER NOT NULL CHECK (cpu_ms >= 0),
  memory_mib_seconds INTEGER NOT NULL CHECK (memory_mib_seconds >= 0),
  disk_mib_seconds INTEGER NOT NULL CHECK (disk_mib_seconds >= 0),
  egress_kib INTEGER NOT NULL CHECK (egress_kib >= 0),
  paused_mib_seconds INTEGER NOT NULL CHECK (paused_mib_seconds >= 0),
  is_final INTEGER NOT NULL CHECK (is_final IN (0, 1)),
  -- It came after its sandbox was settled: on record, not billed.
  is_written_off INTEGER NOT NULL DEFAULT 0 CHECK (is_written_off IN (0, 1)),
  received_at_ms INTEGER NOT NULL,
  -- `null` inside the batch that writes it only.
  applied_at_ms INTEGER
) STRICT;
CREATE INDEX usage_events_by_tenant ON usage_events (tenant_id, hour);
CREATE INDEX usage_events_new ON usage_events (id) WHERE applied_at_ms IS NULL;

CREATE TABLE usage_hours (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  hour TEXT NOT NULL,
  month TEXT NOT NULL,
  template TEXT NOT NULL,
  key_id TEXT NOT NULL,
  cpu_ms INTEGER NOT NULL,
  memory_mib_seconds INTEGER NOT NULL,
  disk_mib_seconds INTEGER NOT NULL,
  egress_kib INTEGER NOT NULL,
  paused_mib_seconds INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, hour, month, template, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_months (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  month TEXT NOT NULL,
  key_id TEXT NOT NULL,
  cpu_ms INTEGER NOT NULL,
  memory_mib_seconds INTEGER NOT NULL,
  disk_mib_seconds INTEGER NOT NULL,
  egress_kib INTEGER NOT NULL,
  paused_mib_seconds INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, month, key_id)
) STRICT, WITHOUT ROWID;

-- Closed ones only, and each of them once.
CREATE TABLE statements (
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  month TEXT NOT NULL,
  body TEXT NOT NULL CHECK (json_valid(body)),
  closed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, month)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER statements_are_immutable BEFORE UPDATE ON statements
BEGIN SELECT RAISE(ABORT, 'a closed statement does not change'); END;
