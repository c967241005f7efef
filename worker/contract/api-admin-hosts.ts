import type { ApiRow } from "./api-row.ts";
import {
  HostPage,
  OperatorHost,
  OperatorSandboxPage,
  RemovedHost,
  RemoveHostQuery,
} from "./operator-host.ts";
import { PlainPageQuery } from "./page.ts";

const host = "/admin/v1/hosts/:id";

const exampleHost = {
  id: "hst_5z7c2b9n4t6r8hk3vq0d",
  code: "hk3v",
  state: "up",
  isDraining: false,
  sandboxes: 2,
  cores: 2,
  freeMemoryMiB: 21_504,
  pools: [{ template: "base", available: 8, starting: 0 }],
  createdAt: "2026-01-31T11:00:00.000Z",
  heartbeatAt: "2026-01-31T12:00:00.000Z",
};
const onHost = ["host_not_found"] as const;

export const hostRows = {
  listHosts: {
    method: "get",
    path: "/admin/v1/hosts",
    summary: "List the hosts, newest first",
    scope: "operator",
    tokens: 0,
    query: PlainPageQuery,
    result: HostPage,
    status: 200,
    errors: [],
    example: { query: { limit: "10" }, result: { items: [exampleHost] } },
  },
  getHost: {
    method: "get",
    path: host,
    summary: "Read one host",
    scope: "operator",
    tokens: 0,
    result: OperatorHost,
    status: 200,
    errors: onHost,
    example: { result: exampleHost },
  },
  listHostSandboxes: {
    method: "get",
    path: `${host}/sandboxes`,
    summary: "List what has not ended on a host, whoever's it is, newest first",
    scope: "operator",
    tokens: 0,
    query: PlainPageQuery,
    result: OperatorSandboxPage,
    status: 200,
    errors: onHost,
    example: {
      query: { limit: "10" },
      result: {
        items: [
          {
            id: "hk3vq0d8m1x5z7c2b9n4t6r8",
            tenantId: "ten_7c2b9n4t6r8hk3vq0d8m",
            template: "base",
            state: "running",
            cpu: 1,
            memoryMiB: 256,
            createdAt: "2026-01-31T12:00:00.000Z",
            expiresAt: "2026-01-31T12:10:00.000Z",
          },
        ],
      },
    },
  },
  drainHost: {
    method: "post",
    path: `${host}/drain`,
    summary: "Place nothing more on a host; what is there goes on to its own end",
    scope: "operator",
    tokens: 0,
    result: OperatorHost,
    status: 200,
    errors: onHost,
    example: { result: { ...exampleHost, state: "draining", isDraining: true } },
  },
  undrainHost: {
    method: "post",
    path: `${host}/undrain`,
    summary: "Let a host that was drained get sandboxes again",
    scope: "operator",
    tokens: 0,
    result: OperatorHost,
    status: 200,
    errors: onHost,
    example: { result: exampleHost },
  },
  removeHost: {
    method: "delete",
    path: host,
    summary: "Remove a host on which nothing is left, or one that is dead",
    scope: "operator",
    tokens: 0,
    query: RemoveHostQuery,
    result: RemovedHost,
    status: 200,
    errors: onHost,
    example: {
      query: { confirmDead: "true" },
      result: { id: exampleHost.id, endedSandboxes: 2 },
    },
  },
} as const satisfies Record<string, ApiRow>;
