import { expect, test } from "vitest";
import { withOwnProtocol, withoutProtocolKeys, withProtocolKey } from "#worker/auth/protocol-key";

const offering = (protocols: string, more = {}) =>
  new Headers({ "sec-websocket-protocol": protocols, ...more });

test("a key among the subprotocols is moved to where keys are looked for", () => {
  expect(withProtocolKey(offering("sandgate.v1,key.e2b_1 ")).get("x-api-key")).toBe("e2b_1");
  expect(withProtocolKey(offering("sandgate.v1")).has("x-api-key")).toBe(false);
});

test("two keys are none that is valid, wherever they are", () => {
  expect(withProtocolKey(offering("key.a, key.b")).get("x-api-key")).toBe("a, b");
  expect(withProtocolKey(offering("key.a", { "x-api-key": "a" })).get("x-api-key")).toBe("a, a");
});

test("a key goes to no server in a sandbox, and what else is offered does", () => {
  const left = (offered: string) => withoutProtocolKeys(offering(offered)).get("sec-websocket-protocol");
  expect(left("key.secret, chat,key.other , superchat")).toBe("chat, superchat");
  expect(left("chat,superchat")).toBe("chat,superchat");
  expect(left("keys, my.key.x")).toBe("keys, my.key.x");
  for (const offered of ["key.secret", ",key.secret,", "key."]) expect(left(offered)).toBe(null);
});

test("nothing but our own subprotocol goes on to a host, and no key", () => {
  const own = withOwnProtocol(offering("other, key.secret, sandgate.v1"));
  expect(own.get("sec-websocket-protocol")).toBe("sandgate.v1");
  expect(withOwnProtocol(new Headers()).has("sec-websocket-protocol")).toBe(false);
  for (const offered of ["key.secret", "sandgate.v2", "chat"])
    expect(() => withOwnProtocol(offering(offered))).toThrow("sandgate.v1");
});
