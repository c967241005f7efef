-- What is removed with a deleted tenant is found by the tenant, in every table.
CREATE INDEX holds_settled_by_tenant ON holds (tenant_id) WHERE settled_at_ms IS NOT NULL;
CREATE INDEX reservations_released_by_tenant ON reservations (tenant_id) WHERE released_at_ms IS NOT NULL;
CREATE INDEX idempotency_by_tenant ON idempotency (tenant_id);
