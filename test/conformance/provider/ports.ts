import { expect, test } from "vitest";
import { newTenantId } from "#contract/ids";
import { portCaller } from "#contract/ports";
import type { Place, PortPlace, PortRequest } from "#worker/providers/provider";
import type { Ways } from "./ways.ts";

/** A port on which nobody listens, so that being let in shows as `port_closed`. */
const request: PortRequest = {
  port: 9_999,
  method: "GET",
  target: "/",
  headers: {},
  body: null,
  bodyBytes: null,
  keyId: null,
  untilMs: null,
  handshake: null,
};

/** Who is let in to which ports, which every provider decides alike. */
export function portPromises({ provider, call, withSandbox, codeOf }: Ways): void {
  const ask = (place: PortPlace, over: Partial<PortRequest> = {}) =>
    codeOf(provider().requestPort(place, { ...request, ...over }, call));

  test("a port on which nobody listens is closed, for requests and bodies of any kind", async () => {
    await withSandbox(async (place) => {
      expect(await ask(place)).toBe("port_closed");
      expect(await ask(place, { method: "POST", body: new Uint8Array(10) })).toBe("port_closed");
      const body = new Blob([new Uint8Array(100_000)]).stream();
      expect(await ask(place, { method: "PUT", body, bodyBytes: 100_000 })).toBe("port_closed");
    });
  });

  test("ports open to their tenant and to the token, and to others only where they are public", async () => {
    const as = (place: Place, tenantId: PortPlace["tenantId"]) => ask({ ...place, tenantId });
    await withSandbox(async (place) => {
      expect(await as(place, newTenantId())).toBe("sandbox_not_found");
      expect(await as(place, portCaller.anyone)).toBe("forbidden");
      expect(await as(place, portCaller.tokenHolder)).toBe("port_closed");
    });
    await withSandbox(
      async (place) => {
        expect(await as(place, newTenantId())).toBe("sandbox_not_found");
        expect(await as(place, portCaller.anyone)).toBe("port_closed");
      },
      { publicPorts: true },
    );
  });

  test("who has shown no key can do nothing but ask ports", async () => {
    await withSandbox(
      async (place) => {
        for (const tenantId of Object.values(portCaller)) {
          // What no caller of ours does, and a host must refuse all the same.
          const nobody = { ...place, tenantId } as unknown as Place;
          expect(await codeOf(provider().exec(nobody, { command: ["echo"] }, call))).toBe(
            "sandbox_not_found",
          );
          const whole = { headOnly: false, headers: {} };
          expect(await codeOf(provider().readFile(nobody, "/etc/passwd", whole, call))).toBe(
            "sandbox_not_found",
          );
          expect(await provider().kill(nobody, 1, call)).toBeNull();
        }
        expect((await provider().exec(place, { command: ["echo"] }, call)).exitCode).toBe(0);
      },
      { publicPorts: true },
    );
  });
}
