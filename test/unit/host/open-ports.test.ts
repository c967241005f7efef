import { expect, test } from "vitest";
import { Heartbeat } from "#contract/host";
import { type KeyId, newKeyId } from "#contract/ids";
import { limits } from "#contract/limits";
import { OpenPorts } from "#host/ports/open-ports";
import type { Live } from "#host/sandboxes/registry";

const share = limits.portConnectionsTenantMax;
const liveOf = (tenantId: string) => ({ lease: { tenantId }, lastActiveAtMs: 0 }) as unknown as Live;

/** Opens connections of one tenant, one after the other, until no more are taken. */
function fillUp(ports: OpenPorts, tenantId: string, keyOf: () => KeyId | null = () => null) {
  const open: ReturnType<OpenPorts["add"]>[] = [];
  for (;;) {
    try {
      open.push(ports.add(liveOf(tenantId), { keyId: keyOf(), untilMs: null }, () => undefined));
    } catch (error) {
      expect(error).toMatchObject({ code: "too_many_connections" });
      return open;
    }
  }
}

test("a tenant has a share of a host's connections, and each place is free again once, however it ended", () => {
  const clock = { nowMs: 0 };
  const ports = new OpenPorts(() => clock.nowMs);
  const revoked = newKeyId();
  const open = fillUp(ports, "greedy", () => revoked);
  expect(open).toHaveLength(share);
  ports.add(liveOf("other"), { keyId: null, untilMs: null }, () => undefined);
  open[7]?.remove();
  open[7]?.remove();
  expect(fillUp(ports, "greedy")).toHaveLength(1);
  ports.closeOf([revoked]);
  for (const each of open) each.remove();
  expect(fillUp(ports, "greedy")).toHaveLength(share - 1);
  clock.nowMs += limits.portIdleMs;
  ports.closeIdle();
  expect(ports.size).toBe(0);
  expect(fillUp(ports, "greedy")).toHaveLength(share);
});

test("four tenants that take all they get fill a host, each of them its share, and no one else gets in", () => {
  const ports = new OpenPorts(() => 0);
  for (const tenantId of ["a", "b", "c", "d"]) expect(fillUp(ports, tenantId)).toHaveLength(share);
  expect(ports.size).toBe(limits.portConnectionsHostMax);
  expect(fillUp(ports, "late")).toEqual([]);
});

test("every heartbeat names every key that holds a connection, on a full host too", () => {
  const ports = new OpenPorts(() => 0);
  const keys: KeyId[] = [];
  for (const tenantId of ["a", "b", "c", "d"]) {
    fillUp(ports, tenantId, () => {
      const key = newKeyId();
      keys.push(key);
      return key;
    });
    // The last of each was refused.
    keys.pop();
  }
  expect(new Set(ports.keys())).toEqual(new Set(keys));
  expect(Heartbeat.shape.portKeys.parse(ports.keys())).toHaveLength(limits.portConnectionsHostMax);
});
