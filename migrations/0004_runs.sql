-- Code and commands that tenants have had run. What was to be run is not kept, what came of it is.
CREATE TABLE runs (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 24),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  state TEXT NOT NULL CHECK (
    state IN ('queued', 'leased', 'running', 'succeeded', 'failed', 'timed_out', 'canceled', 'lost')),
  -- Of the lease: each one raises it, and whoever holds an older one writes nothing any more.
  generation INTEGER NOT NULL CHECK (generation >= 0),
  template TEXT NOT NULL,
  cpu REAL NOT NULL CHECK (cpu > 0),
  memory_mib INTEGER NOT NULL CHECK (memory_mib > 0),
  timeout_ms INTEGER NOT NULL CHECK (timeout_ms > 0),
  metadata TEXT NOT NULL CHECK (json_valid(metadata)),
  sandbox_id TEXT,
  created_at_ms INTEGER NOT NULL,
  -- Past it whoever was at work is gone.
  deadline_at_ms INTEGER NOT NULL,
  leased_at_ms INTEGER,
  ready_at_ms INTEGER,
  started_at_ms INTEGER,
  ended_at_ms INTEGER,
  exit_code INTEGER,
  -- As JSON strings: plain text would be cut at its first NUL on the way in.
  stdout TEXT CHECK (json_valid(stdout)),
  stderr TEXT CHECK (json_valid(stderr)),
  is_stdout_truncated INTEGER NOT NULL DEFAULT 0 CHECK (is_stdout_truncated IN (0, 1)),
  is_stderr_truncated INTEGER NOT NULL DEFAULT 0 CHECK (is_stderr_truncated IN (0, 1)),
  end_reason TEXT,
  error_code TEXT,
  error_detail TEXT,
  CHECK ((ended_at_ms IS NULL) = (state IN ('queued', 'leased', 'running'))),
  CHECK (state NOT IN ('leased', 'running') OR (generation >= 1 AND sandbox_id IS NOT NULL))
) STRICT;
CREATE INDEX runs_by_tenant ON runs (tenant_id, created_at_ms, id);
CREATE INDEX runs_by_tenant_state ON runs (tenant_id, state, created_at_ms, id);
CREATE INDEX runs_by_tenant_template ON runs (tenant_id, template, created_at_ms, id);
CREATE INDEX runs_unended_by_deadline ON runs (deadline_at_ms) WHERE ended_at_ms IS NULL;
