-- Every sandbox has its own limits of processes and disk. Those of before had the defaults, and disks in memory.
ALTER TABLE sandboxes ADD COLUMN pids INTEGER NOT NULL DEFAULT 256 CHECK (pids > 0);
ALTER TABLE sandboxes ADD COLUMN disk_mib INTEGER NOT NULL DEFAULT 128 CHECK (disk_mib > 0);
ALTER TABLE templates ADD COLUMN disk_mib INTEGER;
