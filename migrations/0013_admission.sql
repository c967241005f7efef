-- What admission counts. A sandbox with a cap of its own shows it, and its host is told it.
ALTER TABLE sandboxes ADD COLUMN cap_micros INTEGER CHECK (cap_micros > 0);

-- Bytes of output that are kept of a run, and of all runs of a tenant. Sums of that many rows would take too long for
-- every run that begins, so the second follows the first, whoever changes or deletes a run.
ALTER TABLE runs ADD COLUMN output_bytes INTEGER NOT NULL DEFAULT 0 CHECK (output_bytes >= 0);
UPDATE runs SET output_bytes = coalesce(octet_length(json_extract(stdout, '$')), 0)
  + coalesce(octet_length(json_extract(stderr, '$')), 0)
WHERE stdout IS NOT NULL OR stderr IS NOT NULL;
CREATE TABLE stored_output (
  tenant_id TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
  bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO stored_output (tenant_id, bytes) SELECT tenant_id, sum(output_bytes) FROM runs GROUP BY tenant_id;
CREATE TRIGGER runs_output_kept AFTER UPDATE OF output_bytes ON runs WHEN new.output_bytes <> old.output_bytes
BEGIN INSERT INTO stored_output (tenant_id, bytes) VALUES (new.tenant_id, max(0, new.output_bytes - old.output_bytes)) ON CONFLICT (tenant_id) DO UPDATE SET bytes = bytes + new.output_bytes - old.output_bytes; END;
CREATE TRIGGER runs_output_forgotten AFTER DELETE ON runs WHEN old.output_bytes > 0
BEGIN UPDATE stored_output SET bytes = bytes - old.output_bytes WHERE tenant_id = old.tenant_id; END;
