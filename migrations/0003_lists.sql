CREATE INDEX sandboxes_by_tenant_template ON sandboxes (tenant_id, template, created_at_ms, id);
