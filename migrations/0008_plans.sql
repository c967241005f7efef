-- What tenants may do and what it costs. A tenant's limits are its plan's with its own overrides on top, put together
-- where they are needed: nothing that is derived is stored.
CREATE TABLE plans (
  name TEXT NOT NULL PRIMARY KEY,
  definition TEXT NOT NULL CHECK (json_valid(definition)),
  updated_at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO plans (name, definition, updated_at_ms) VALUES
  ('free', '{"name":"free","limits":{"requestsPerSecond":20,"burst":40,"dataRequestsPerSecond":100,"dataBurst":200,"createsPerSecond":5,"createBurst":25,"concurrentSandboxes":5,"concurrentRuns":5,"createsPerDay":1000,"openStreams":20,"storedBytes":104857600,"cpuSecondsPerMonth":36000,"memoryGibSecondsPerMonth":72000,"sandboxCpu":1,"sandboxMemoryMiB":1024,"sandboxDiskMiB":2048,"sandboxLifetimeSeconds":3600},"prices":{"cpuHourMicros":50400,"memoryGibHourMicros":16200,"diskGibHourMicros":200,"egressGibMicros":100000,"pausedGibHourMicros":1620},"included":{"cpuSeconds":36000,"memoryGibSeconds":72000,"diskGibSeconds":1440000,"egressGib":1},"overage":"block"}', 0),
  ('standard', '{"name":"standard","limits":{"requestsPerSecond":200,"burst":400,"dataRequestsPerSecond":2000,"dataBurst":4000,"createsPerSecond":100,"createBurst":1000,"concurrentSandboxes":100,"concurrentRuns":100,"createsPerDay":50000,"openStreams":500,"storedBytes":10737418240,"cpuSecondsPerMonth":null,"memoryGibSecondsPerMonth":null,"sandboxCpu":8,"sandboxMemoryMiB":16384,"sandboxDiskMiB":20480,"sandboxLifetimeSeconds":86400},"prices":{"cpuHourMicros":50400,"memoryGibHourMicros":16200,"diskGibHourMicros":200,"egressGibMicros":100000,"pausedGibHourMicros":1620},"included":{"cpuSeconds":360000,"memoryGibSeconds":720000,"diskGibSeconds":14400000,"egressGib":10},"overage":"bill"}', 0),
  ('scale', '{"name":"scale","limits":{"requestsPerSecond":20000,"burst":40000,"dataRequestsPerSecond":50000,"dataBurst":100000,"createsPerSecond":2000,"createBurst":20000,"concurrentSandboxes":2000,"concurrentRuns":2000,"createsPerDay":10000000,"openStreams":10000,"storedBytes":1099511627776,"cpuSecondsPerMonth":null,"memoryGibSecondsPerMonth":null,"sandboxCpu":64,"sandboxMemoryMiB":1048576,"sandboxDiskMiB":102400,"sandboxLifetimeSeconds":86400},"prices":{"cpuHourMicros":45360,"memoryGibHourMicros":14580,"diskGibHourMicros":180,"egressGibMicros":80000,"pausedGibHourMicros":1458},"included":{"cpuSeconds":3600000,"memoryGibSeconds":7200000,"diskGibSeconds":144000000,"egressGib":100},"overage":"bill"}', 0);

-- Tenants of before keep the sandboxes that they may have; whoever made them chose no other limit.
ALTER TABLE tenants ADD COLUMN plan TEXT NOT NULL DEFAULT 'scale';
ALTER TABLE tenants ADD COLUMN overrides TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(overrides));
ALTER TABLE tenants ADD COLUMN monthly_cap_micros INTEGER CHECK (monthly_cap_micros >= 0);
-- Nothing works from then on; everything of the tenant's is removed when the grace is over.
ALTER TABLE tenants ADD COLUMN deleted_at_ms INTEGER;
UPDATE tenants SET overrides = json_object('concurrentSandboxes', max_sandboxes);
ALTER TABLE tenants DROP COLUMN max_sandboxes;

-- RFC 7396: an override replaces the plan's value, and one of null makes it null.
CREATE VIEW tenant_plans AS
  SELECT tenants.id AS tenant_id, tenants.plan AS plan, tenants.monthly_cap_micros AS monthly_cap_micros,
    json_patch(json_extract(plans.definition, '$.limits'), tenants.overrides) AS limits,
    json_object('plan', plans.name, 'prices', json_extract(plans.definition, '$.prices'),
      'included', json_extract(plans.definition, '$.included'),
      'overage', json_extract(plans.definition, '$.overage')) AS sheet
  FROM tenants JOIN plans ON plans.name = tenants.plan;

-- `null` = what the tenant may.
ALTER TABLE keys ADD COLUMN templates TEXT CHECK (json_valid(templates));
ALTER TABLE keys ADD COLUMN monthly_cap_micros INTEGER CHECK (monthly_cap_micros >= 0);
ALTER TABLE keys ADD COLUMN rate TEXT CHECK (json_valid(rate));
