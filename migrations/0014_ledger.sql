-- The ledger is pruned, and its sums are made anew, by month.
CREATE INDEX usage_events_by_month ON usage_events (month, tenant_id);
CREATE INDEX usage_hours_by_month ON usage_hours (month, tenant_id);
