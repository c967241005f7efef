import * as z from "zod";

/** A port as it stands in a path or a host name: no sign, no leading zero. */
export const PortNumber = z
  .string()
  .regex(/^[1-9]\d{0,4}$/, "must be a number from 1 to 65535")
  .transform(Number)
  .pipe(z.number().max(65_535, "must be a number from 1 to 65535"));

export const PortAccess = z
  .strictObject({
    publicPorts: z
      .boolean()
      .describe("Whether host names need no token; chosen when the sandbox was created."),
    hostName: z.string().describe("Put a port for `{port}`; the scheme and the port are those of the API."),
    trafficToken: z
      .string()
      .describe("Opens the host names as `E2b-Traffic-Access-Token`, until the sandbox ends."),
  })
  .meta({ id: "PortAccess" });
export type PortAccess = z.infer<typeof PortAccess>;

/** Stands for the tenant in a signed request whose caller has shown no key: which doors are open is the host's to say. */
export const portCaller = {
  /** Has shown the sandbox's own traffic token. */
  tokenHolder: "token",
  anyone: "-",
} as const;

/** Between the control plane and a host, about a request to a port. */
export const portHeader = {
  /** Host -> control plane: the answer is the server's own, not the host's. Its value is the port. */
  answer: "x-sandgate-port",
  /** Control plane -> host: the declared length of a body that is streamed. */
  bodyLength: "x-sandgate-body-length",
  /** Control plane -> host: the API key that opened the connection, so that it ends with the key. */
  keyId: "x-sandgate-key-id",
  /** Control plane -> host: when that key, or the sandbox's token that was shown, ends by itself; Unix milliseconds. */
  untilMs: "x-sandgate-until-ms",
} as const;

/** What a holder of the traffic token sends; E2B's clients know the first. */
export const trafficTokenHeaders = ["e2b-traffic-access-token", "x-sandgate-traffic-token"] as const;
/** Where a host name cannot say it: which sandbox, and which of its ports. */
export const routingHeaders = { sandboxId: "e2b-sandbox-id", port: "e2b-sandbox-port" } as const;
