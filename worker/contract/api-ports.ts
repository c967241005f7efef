import { type ApiRow, onSandbox, sandbox } from "./api-row.ts";
import { PortAccess } from "./ports.ts";

/** Servers that listen inside a sandbox. */
export const portRows = {
  readPortAccess: {
    method: "get",
    path: `${sandbox}/ports`,
    summary: "Say how the ports of a sandbox are reached by host name",
    scope: "exec",
    tokens: 1,
    isForKeysOnly: true,
    result: PortAccess,
    status: 200,
    errors: ["sandbox_not_found"],
    example: {
      result: {
        publicPorts: false,
        hostName: "{port}-hk3vq0d8m1x5z7c2b9n4t6r8.localhost",
        trafficToken: "f7c9f1d0a4a5e3b1c8d2e6f5a7b9c0d1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7",
      },
    },
  },
  usePort: {
    method: "get",
    isProxy: true,
    path: `${sandbox}/ports/:port/*`,
    summary: "Send a request to a server inside a sandbox, or open a WebSocket to it",
    scope: "exec",
    rateClass: "data",
    tokens: 1,
    status: 200,
    resultType: "text/html",
    errors: [
      ...onSandbox,
      "port_closed",
      "port_failed",
      "port_timeout",
      "too_many_connections",
      "too_many_streams",
    ],
    example: { params: { port: "8000", "*": "hello.html" } },
  },
} as const satisfies Record<string, ApiRow>;
