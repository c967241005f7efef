-- What ended long ago is forgotten in this order.
CREATE INDEX sandboxes_ended ON sandboxes (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX runs_ended ON runs (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX reservations_released ON reservations (released_at_ms) WHERE released_at_ms IS NOT NULL;
