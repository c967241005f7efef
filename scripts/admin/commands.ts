import type { Command, Option } from "./command.ts";

const page: Record<string, Option> = {
  limit: { about: "how many at most", to: "?limit" },
  cursor: { about: "where the page before ended", to: "?cursor" },
};
const limits: Record<string, Option> = {
  "concurrent-sandboxes": { about: "sandboxes at once", to: "limits.concurrentSandboxes", is: "number" },
  "concurrent-runs": { about: "runs at once", to: "limits.concurrentRuns", is: "number" },
  "creates-per-day": { about: "sandboxes made in a day", to: "limits.createsPerDay", is: "number" },
  "requests-per-second": { about: "rate of calls", to: "limits.requestsPerSecond", is: "number" },
  burst: { about: "calls at once", to: "limits.burst", is: "number" },
  "limits-file": { about: "JSON with any of the limits", to: "limits", is: "file" },
};
const key: Record<string, Option> = {
  name: { about: "for people", to: "name" },
  scopes: { about: "what it may do, by commas", to: "scopes", is: "list" },
  templates: { about: "templates that it may use, by commas", to: "templates", is: "list" },
  "expires-in-seconds": { about: "when it ends", to: "expiresInSeconds", is: "number" },
  "monthly-cap-micros": { about: "its own budget", to: "budget", is: "cap" },
};

const tenantColumns = [
  ["ID", "id"],
  ["NAME", "name"],
  ["PLAN", "plan"],
  ["STATE", "state"],
  ["SANDBOXES AT ONCE", "limits.concurrentSandboxes"],
  ["CAP, MICRO-DOLLARS", "budget.monthlyCapMicros"],
  ["CREATED", "createdAt"],
] as const;
const keyColumns = [
  ["ID", "id"],
  ["NAME", "name"],
  ["PREFIX", "prefix"],
  ["EXPIRES", "expiresAt"],
  ["LAST USED", "lastUsedAt"],
  ["SCOPES", "scopes"],
] as const;
const planColumns = [
  ["NAME", "name"],
  ["SANDBOXES AT ONCE", "limits.concurrentSandboxes"],
  ["CALLS PER SECOND", "limits.requestsPerSecond"],
  ["CPU HOUR, MICRO-DOLLARS", "prices.cpuHourMicros"],
  ["OVERAGE", "overage"],
] as const;
const hostColumns = [
  ["ID", "id"],
  ["CODE", "code"],
  ["STATE", "state"],
  ["SANDBOXES", "sandboxes"],
  ["CORES", "cores"],
  ["FREE MIB", "freeMemoryMiB"],
  ["HEARD", "heartbeatAt"],
] as const;

/** Every command, by its words. */
export const commands: Record<string, Command> = {
  "tenants create": {
    row: "createTenant",
    options: {
      name: { about: "for people", to: "name" },
      plan: { about: "free unless said otherwise", to: "plan" },
      "monthly-cap-micros": { about: "hard cap of a month", to: "budget", is: "cap" },
      ...limits,
    },
  },
  "tenants list": {
    row: "listTenants",
    options: {
      state: { about: "active, suspended or deleted", to: "?state" },
      plan: { about: "only those on it", to: "?plan" },
      ...page,
    },
    columns: tenantColumns,
  },
  "tenants show": { row: "getTenant", id: "tenant" },
  "tenants set": {
    row: "patchTenant",
    id: "tenant",
    options: {
      name: { about: "for people", to: "name" },
      plan: { about: "its limits hold at once", to: "plan" },
      "monthly-cap-micros": { about: "hard cap of a month; none = no cap", to: "budget", is: "cap" },
      ...limits,
    },
  },
  "tenants suspend": { row: "suspendTenant", id: "tenant" },
  "tenants resume": { row: "resumeTenant", id: "tenant" },
  "tenants delete": { row: "deleteTenant", id: "tenant" },
  "keys create": { row: "createTenantKey", id: "tenant", options: key },
  "keys list": { row: "listTenantKeys", id: "tenant", options: page, columns: keyColumns },
  "keys revoke": { row: "revokeTenantKey", id: "key" },
  "plans list": { row: "listPlans", columns: planColumns },
  "plans show": { row: "getPlan", id: "plan" },
  "plans set": {
    row: "putPlan",
    id: "plan",
    options: { file: { about: "JSON of the plan, without its name", to: "", is: "file" } },
  },
  "plans delete": { row: "deletePlan", id: "plan" },
  "hosts list": { row: "listHosts", options: page, columns: hostColumns },
  "hosts show": { row: "getHost", id: "host" },
  "hosts sandboxes": {
    row: "listHostSandboxes",
    id: "host",
    options: page,
    columns: [
      ["ID", "id"],
      ["TENANT", "tenantId"],
      ["TEMPLATE", "template"],
      ["STATE", "state"],
      ["EXPIRES", "expiresAt"],
    ],
  },
  "hosts drain": { row: "drainHost", id: "host" },
  "hosts undrain": { row: "undrainHost", id: "host" },
  "hosts remove": {
    row: "removeHost",
    id: "host",
    options: { "confirm-dead": { about: "give up what is there", to: "?confirmDead", is: "flag" } },
  },
};
