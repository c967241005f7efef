-- How far the audit is sealed, and up to where it was pruned, under an HMAC: who can write to this database and no more
-- can cut off neither end.
CREATE TABLE audit_heads (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  sequence INTEGER NOT NULL,
  hash TEXT NOT NULL,
  pruned_sequence INTEGER NOT NULL,
  pruned_hash TEXT NOT NULL,
  mac TEXT NOT NULL
) STRICT;

-- Against mistakes of our own; against everybody else there is the chain.
CREATE TRIGGER audit_does_not_change BEFORE UPDATE ON audit
WHEN OLD.hash IS NOT NULL OR NEW.sequence <> OLD.sequence OR NEW.tenant_id IS NOT OLD.tenant_id
  OR NEW.at_ms <> OLD.at_ms OR NEW.actor <> OLD.actor OR NEW.action <> OLD.action OR NEW.subject <> OLD.subject
  OR NEW.details <> OLD.details OR NEW.request_id IS NOT OLD.request_id
BEGIN SELECT RAISE(ABORT, 'a row of the audit does not change'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN OLD.sequence > coalesce((SELECT pruned_sequence FROM audit_heads), 0)
BEGIN SELECT RAISE(ABORT, 'a row of the audit is kept until it is pruned'); END;

-- Together with the trigger that refuses updates. A replacement would delete without one, so it is made to do nothing.
CREATE TRIGGER statements_are_kept BEFORE DELETE ON statements
BEGIN SELECT RAISE(ABORT, 'a closed statement is kept'); END;
CREATE TRIGGER statements_are_closed_once BEFORE INSERT ON statements
WHEN EXISTS (SELECT 1 FROM statements WHERE tenant_id = NEW.tenant_id AND month = NEW.month)
BEGIN SELECT RAISE(IGNORE); END;

-- Months that were closed for every tenant who had used something, so that no sweep looks through them again.
CREATE TABLE closed_months (
  month TEXT NOT NULL PRIMARY KEY,
  closed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Usage of a tenant who had used nothing by then opens such a month again, for that tenant.
CREATE TRIGGER usage_months_reopen AFTER INSERT ON usage_months
BEGIN DELETE FROM closed_months WHERE month = NEW.month; END;
CREATE INDEX usage_months_by_month ON usage_months (month, tenant_id);
