-- Intent of the control plane: who may ask, for how much, and which sandbox should exist where.

CREATE TABLE tenants (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  max_sandboxes INTEGER NOT NULL CHECK (max_sandboxes >= 0),
  created_at_ms INTEGER NOT NULL,
  suspended_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX tenants_by_name ON tenants (name);

-- Only the SHA-256 of a key is kept; `prefix` is what people recognise it by.
CREATE TABLE keys (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  prefix TEXT NOT NULL,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER,
  revoked_at_ms INTEGER,
  last_used_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX keys_by_hash ON keys (hash);
CREATE INDEX keys_by_tenant ON keys (tenant_id, created_at_ms);

-- Rows stay when a host is removed: its code begins ids for ever and is never given to another.
CREATE TABLE hosts (
  id TEXT NOT NULL PRIMARY KEY,
  code TEXT NOT NULL CHECK (length(code) = 4),
  url TEXT,
  is_draining INTEGER NOT NULL DEFAULT 0 CHECK (is_draining IN (0, 1)),
  cores INTEGER NOT NULL DEFAULT 0,
  free_memory_mib INTEGER NOT NULL DEFAULT 0,
  pools TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(pools)),
  created_at_ms INTEGER NOT NULL,
  heartbeat_at_ms INTEGER,
  -- By the host's own clock: each heartbeat must be signed later than the one before, so none can be replayed.
  heartbeat_signed_at_ms INTEGER,
  removed_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX hosts_by_code ON hosts (code);

-- NULL = the control plane's own default.
CREATE TABLE templates (
  name TEXT NOT NULL PRIMARY KEY,
  digest TEXT NOT NULL,
  cpu REAL,
  memory_mib INTEGER,
  pids INTEGER,
  updated_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE aliases (
  name TEXT NOT NULL PRIMARY KEY,
  template TEXT NOT NULL REFERENCES templates (name)
) STRICT;

CREATE TABLE sandboxes (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 24),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  host_id TEXT NOT NULL REFERENCES hosts (id),
  generation INTEGER NOT NULL CHECK (generation >= 1),
  template TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('creating', 'running', 'ending', 'ended')),
  cpu REAL NOT NULL CHECK (cpu > 0),
  memory_mib INTEGER NOT NULL CHECK (memory_mib > 0),
  lifetime_seconds INTEGER NOT NULL CHECK (lifetime_seconds > 0),
  idle_seconds INTEGER NOT NULL CHECK (idle_seconds > 0),
  metadata TEXT NOT NULL CHECK (json_valid(metadata)),
  created_at_ms INTEGER NOT NULL,
  started_at_ms INTEGER,
  expires_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  -- While `ending`, the reason it is being ended for.
  end_reason TEXT,
  CHECK ((state = 'ended') = (ended_at_ms IS NOT NULL)),
  CHECK (state <> 'ended' OR end_reason IS NOT NULL)
) STRICT;
CREATE INDEX sandboxes_by_tenant ON sandboxes (tenant_id, created_at_ms, id);
CREATE INDEX sandboxes_by_tenant_state ON sandboxes (tenant_id, state, created_at_ms, id);
CREATE INDEX sandboxes_unended_by_host ON sandboxes (host_id) WHERE ended_at_ms IS NULL;
CREATE INDEX sandboxes_unended_by_deadline ON sandboxes (expires_at_ms) WHERE ended_at_ms IS NULL;

-- A slot of a tenant's quota; held while `released_at_ms` is NULL.
CREATE TABLE reservations (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  sandbox_id TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  released_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX reservations_by_sandbox ON reservations (sandbox_id);
CREATE INDEX reservations_held_by_tenant ON reservations (tenant_id) WHERE released_at_ms IS NULL;
CREATE INDEX reservations_held_by_deadline ON reservations (expires_at_ms) WHERE released_at_ms IS NULL;
