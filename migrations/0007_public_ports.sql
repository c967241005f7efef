-- Whether the host names of a sandbox's ports are open to everybody.
ALTER TABLE sandboxes ADD COLUMN public_ports INTEGER NOT NULL DEFAULT 0;
