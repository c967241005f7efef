import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { type Harness, harness } from "#test/support/harness";
import { createNodeServer } from "#worker/node-serve";

let h: Harness;
let server: Server;
const slowMs = 300;
beforeAll(async () => {
  h = await harness();
  server = createNodeServer(h.app.fetch, { headersMs: slowMs, requestMs: 2 * slowMs, checkMs: 50 });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await h.close();
});

type Talk = { write: (text: string) => void; end: () => void };
/** Speaks to the server byte by byte; what it said by the time it closed the connection. */
function talk(speak: (talk: Talk) => void): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  let heard = "";
  socket.on("data", (chunk) => {
    heard += chunk;
  });
  // A peer that is cut off while it still writes is what these tests are about.
  socket.on("error", () => undefined);
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(heard)));
  speak({ write: (text) => void socket.write(text), end: () => void socket.end() });
  return closed;
}

const head = (rest: string[], method = "POST") =>
  [
    `${method} /v1/sandboxes HTTP/1.1`,
    "host: api",
    `authorization: Bearer ${h.key}`,
    "content-type: application/json",
    ...rest,
    "",
    "",
  ].join("\r\n");
const statuses = (heard: string) =>
  [...heard.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));

test("A13: headers that trickle in are cut off in time", async () => {
  let drip: NodeJS.Timeout | undefined;
  const startMs = performance.now();
  const heard = await talk(({ write }) => {
    write("GET /healthz HTTP/1.1\r\n");
    drip = setInterval(() => write("x-a: b\r\n"), 20);
  });
  clearInterval(drip);
  expect(statuses(heard)).toEqual([408]);
  expect(performance.now() - startMs).toBeLessThan(10 * slowMs);
});

test("A13: a body that trickles in is cut off in time, and nothing was made", async () => {
  let drip: NodeJS.Timeout | undefined;
  const before = h.provider.held.size;
  const heard = await talk(({ write }) => {
    write(head(["transfer-encoding: chunked"]));
    drip = setInterval(() => write("1\r\n \r\n"), 20);
  });
  clearInterval(drip);
  expect(statuses(heard)).toEqual([408]);
  expect(h.provider.held.size).toBe(before);
});

test("A13: a chunked body without an end is refused at its bound, and its connection closed", async () => {
  const chunk = `10000\r\n${" ".repeat(65_536)}\r\n`;
  let sent = 0;
  const rssBefore = process.memoryUsage().rss;
  const heard = await talk(({ write }) => {
    write(head(["transfer-encoding: chunked"]));
    const pour = () => {
      if (sent >= 64 * limits.jsonBodyMaxBytes) return;
      sent += chunk.length;
      write(chunk);
      setImmediate(pour);
    };
    pour();
  });
  expect(statuses(heard)).toEqual([413]);
  expect(heard).toMatch(/connection: close/i);
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(200 * 2 ** 20);
});

test("A13: a body shorter than declared is never taken for a whole one", async () => {
  const before = h.provider.held.size;
  const heard = await talk(({ write, end }) => {
    write(`${head(["content-length: 100"])}{}`);
    end();
  });
  expect(statuses(heard).every((status) => status >= 400)).toBe(true);
  expect(h.provider.held.size).toBe(before);
});

test("A13: what follows a body that was declared too short is a request of its own, without the first one's key", async () => {
  const smuggled = "GET /v1/sandboxes HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n";
  const heard = await talk(({ write }) => write(`${head(["content-length: 2"])}{}${smuggled}`));
  expect(statuses(heard)).toEqual([201, 401]);
});

test.each([
  ["two lengths that differ", ["content-length: 2", "content-length: 20"]],
  ["a length and chunks", ["content-length: 2", "transfer-encoding: chunked"]],
  ["a length with a sign", ["content-length: +2"]],
  ["a length that is no number", ["content-length: two"]],
  ["an encoding nobody knows", ["transfer-encoding: chunked, x"]],
  ["a header folded onto the next line", ["x-a: b", " c: d", "content-length: 2"]],
  ["a header with a blank before its colon", ["content-length : 2"]],
])("A13: %s is refused before anybody reads it", async (_what, headers) => {
  const before = h.provider.held.size;
  const heard = await talk(({ write, end }) => {
    write(`${head(headers)}{}`);
    end();
  });
  expect(statuses(heard)).toEqual([400]);
  expect(h.provider.held.size).toBe(before);
});

test("A28: TRACE and CONNECT are refused, and echo nothing", async () => {
  const traced = await talk(({ write, end }) => {
    write(head(["x-canary: seen"], "TRACE"));
    end();
  });
  expect(statuses(traced).every((status) => status >= 400)).toBe(true);
  const connected = await talk(({ write }) =>
    write("CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: x\r\n\r\n"),
  );
  expect([traced, connected].join()).not.toMatch(/seen|HTTP\/1\.1 2/);
});

test("A28: an address with a host in it is looked up by its path alone", async () => {
  const heard = await talk(({ write, end }) => {
    write("GET http://169.254.169.254/v1/sandboxes HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n");
    end();
  });
  expect(statuses(heard)).toEqual([401]);
});

test("A1: two Authorization headers are refused", async () => {
  const heard = await talk(({ write, end }) => {
    write(
      `GET /v1/sandboxes HTTP/1.1\r\nhost: api\r\nx-api-key: ${h.key}\r\nx-api-key: ${h.key}\r\nconnection: close\r\n\r\n`,
    );
    end();
  });
  expect(statuses(heard)).toEqual([401]);
});
