-- What operators do to tenants and hosts.

-- Of a deleted tenant: from then on nothing brings it back, and when nothing of its own is left.
ALTER TABLE tenants ADD COLUMN removal_began_at_ms INTEGER;
ALTER TABLE tenants ADD COLUMN removed_at_ms INTEGER;
CREATE INDEX tenants_by_age ON tenants (created_at_ms, id);
CREATE INDEX tenants_by_plan ON tenants (plan);
CREATE INDEX tenants_to_remove ON tenants (deleted_at_ms) WHERE deleted_at_ms IS NOT NULL AND removed_at_ms IS NULL;

-- An operator's wish, beside `is_draining`, which is what the host says of itself.
ALTER TABLE hosts ADD COLUMN drain_requested_at_ms INTEGER;
CREATE INDEX sandboxes_unended_by_host_age ON sandboxes (host_id, created_at_ms, id) WHERE ended_at_ms IS NULL;
DROP INDEX sandboxes_unended_by_host;
