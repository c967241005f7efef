import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, describe, expect, test, vi } from "vitest";
import { HostCode, newHostId, newSandboxId, newTenantId } from "#contract/ids";
import { signatureHeader, unsignedPayload } from "#contract/signature";
import { boundStream } from "#worker/bytes";
import { AppError } from "#worker/errors";
import { makeHostKeys } from "#worker/hosts/keys";
import { nodeFetch } from "#worker/node-fetch";
import { agentHostProvider } from "#worker/providers/agent-host/make";

const deps = { hostKeys: makeHostKeys("x".repeat(32)), now: Date.now };
const code = HostCode.parse("haaa");
const call = { requestId: "req_test", deadlineMs: 2_000 };
const placeAt = (url: string) => ({
  tenantId: newTenantId(),
  sandboxId: newSandboxId(code),
  hostId: newHostId(),
  url,
});

let server: Server | undefined;
afterEach(() => server?.close());
/** A real server, since what is tested is what really goes over a connection. */
async function serving(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  const address = started.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}
async function errorOf(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw new Error(`not an AppError: ${error}`);
}
const createSpec = (place: ReturnType<typeof placeAt>) => ({
  sandboxId: place.sandboxId,
  tenantId: place.tenantId,
  generation: 1,
  template: "base",
  cpu: 1,
  memoryMiB: 256,
  pids: 256,
  diskMiB: 1024,
  env: {},
  idleSeconds: 60,
  publicPorts: false,
  expiresAtMs: 1,
});

describe.each([
  ["the built-in fetch", fetch],
  ["the Node entry's fetch", nodeFetch],
])("over %s", (_name, fetch) => {
  const provider = agentHostProvider({ ...deps, fetch });

  test("a request to a port that climbs out of it is never signed, and what a host says itself is no server's answer", async () => {
    const asked: string[] = [];
    const place = placeAt(
      await serving((request, response) => {
        asked.push(request.url ?? "");
        response.writeHead(200, { "x-sandgate-port": "81" }).end("not of this port");
      }),
    );
    const request = {
      port: 80,
      method: "POST",
      headers: {},
      body: null,
      bodyBytes: null,
      keyId: null,
      untilMs: null,
      handshake: null,
    };
    for (const target of ["/../../exec", "/%2e%2e/%2E%2e/exec", "/a/../../../files"]) {
      const error = await errorOf(provider.requestPort(place, { ...request, target }, call));
      expect(error.code).toBe("not_found");
    }
    expect(asked).toEqual([]);
    const error = await errorOf(provider.requestPort(place, { ...request, target: "/" }, call));
    expect([error.code, asked.length]).toEqual(["internal", 1]);
  });

  test("a WebSocket goes to no host over a wire that others can write on", async () => {
    const handshake = { upgrade: "websocket" };
    const request = {
      port: 80,
      method: "GET",
      target: "/",
      headers: {},
      body: null,
      bodyBytes: null,
      keyId: null,
      untilMs: null,
    };
    const place = placeAt("http://host.example.test:1");
    const error = await errorOf(provider.requestPort(place, { ...request, handshake }, call));
    expect(error.code).toBe("internal");
  });

  test("a host that nobody listens at has certainly not done it", async () => {
    const place = placeAt(await serving(() => undefined));
    await new Promise((resolve) => server?.close(resolve));
    const error = await errorOf(provider.create(place, createSpec(place), call));
    expect([error.code, error.isOutcomeUnknown]).toEqual(["host_unreachable", false]);
    expect((await errorOf(provider.exec(place, { command: "x" }, call))).code).toBe("host_unreachable");
  });

  test("a host that hangs up, or says nothing until the deadline, may have done it", async () => {
    const hangsUp = placeAt(await serving((request) => request.socket.destroy()));
    const error = await errorOf(provider.create(hangsUp, createSpec(hangsUp), call));
    expect([error.code, error.isOutcomeUnknown]).toEqual(["host_unreachable", true]);
    expect((await errorOf(provider.exec(hangsUp, { command: "x" }, call))).code).toBe("exec_lost");
    server?.close();
    const silent = placeAt(await serving(() => undefined));
    const late = await errorOf(provider.kill(silent, 1, { ...call, deadlineMs: 30 }));
    expect([late.code, late.isOutcomeUnknown]).toEqual(["host_unreachable", true]);
    server?.closeAllConnections();
  });

  test("a host's known refusals pass in our words, everything else stays inside", async () => {
    const answers: [number, unknown, string][] = [
      [503, { code: "no_capacity", detail: "/var/lib/secret is full" }, "no_capacity"],
      [410, { code: "sandbox_ended", detail: "x", facts: { endReason: "oom" } }, "sandbox_ended"],
      [503, { code: "unavailable", detail: "dockerd at 10.0.0.7" }, "host_unreachable"],
      [401, { code: "unauthenticated", detail: "key of hst_x" }, "internal"],
      [500, { code: "internal", detail: "panic at /opt" }, "internal"],
      [404, { code: "__proto__" }, "internal"],
      [302, "moved", "internal"],
      [200, { nothing: "known" }, "internal"],
      [200, "no JSON", "internal"],
    ];
    let answer = answers[0];
    const place = placeAt(
      await serving((_request, response) => {
        response.statusCode = answer?.[0] ?? 500;
        if (response.statusCode === 302) response.setHeader("location", "http://169.254.169.254/");
        response.end(JSON.stringify(answer?.[1]));
      }),
    );
    for (answer of answers) {
      const error = await errorOf(provider.create(place, createSpec(place), call));
      expect([answer[1], error.code]).toEqual([answer[1], answer[2]]);
      expect(error.message).not.toMatch(/secret|10\.0\.0|hst_|opt/);
      expect(error.isOutcomeUnknown).toBe(false);
    }
  });

  test("a conflict is no success: the id may have ended on the host, or be another's", async () => {
    const place = placeAt(
      await serving((_request, response) => response.writeHead(409).end('{"code":"conflict"}')),
    );
    await expect(provider.create(place, createSpec(place), call)).rejects.toMatchObject({ code: "conflict" });
  });

  test("short bodies are in the signature, long ones are streamed without", async () => {
    const seen: (string | undefined)[][] = [];
    const place = placeAt(
      await serving((request, response) => {
        seen.push([
          request.headers[signatureHeader.bodySha256] as string,
          request.headers[signatureHeader.length] as string,
        ]);
        request.resume().on("end", () => response.end('{"path":"/a","size":1,"mode":"0644"}'));
      }),
    );
    for (const size of [10, 100_000]) {
      await provider.writeFile(place, "a", { stream: new Blob([new Uint8Array(size)]).stream() }, call);
    }
    expect(seen[0]?.[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(seen[0]?.[1]).toBe("10");
    expect(seen[1]).toEqual([unsignedPayload, "-"]);
    const far = { ...place, url: "http://192.0.2.1:9" };
    const body = { stream: new Blob([new Uint8Array(100_000)]).stream() };
    expect((await errorOf(provider.writeFile(far, "a", body, call))).code).toBe("internal");
  });

  test("a long body of a known length is announced with it, and one that breaks off is not completed", async () => {
    const lengths: (string | undefined)[] = [];
    let isComplete: boolean | undefined;
    const place = placeAt(
      await serving((request, response) => {
        lengths.push(request.headers["content-length"]);
        request.on("close", () => {
          isComplete = request.complete;
        });
        request.resume().on("end", () => response.end('{"path":"/a","size":1,"mode":"0644"}'));
      }),
    );
    const long = new Uint8Array(200_000);
    const body = { stream: new Blob([long]).stream(), length: long.length };
    await provider.writeFile(place, "a", body, call);
    expect([lengths, isComplete]).toEqual([["200000"], true]);

    let pulls = 0;
    const broken = new ReadableStream<Uint8Array>({
      pull: (c) => (pulls++ < 3 ? c.enqueue(long) : c.error(new Error("ECONNRESET"))),
    });
    const stream = boundStream(broken, 1_000_000);
    expect((await errorOf(provider.writeFile(place, "a", { stream }, call))).code).toBe("request_timeout");
    await vi.waitUntil(() => isComplete === false);
    expect(lengths).toEqual(["200000", undefined]);
  });

  test("an upload that grows past its limit is payload_too_large, not a host that is away", async () => {
    const place = placeAt(await serving((request) => void request.resume()));
    const stream = boundStream(new Blob([new Uint8Array(300_000)]).stream(), 200_000);
    expect((await errorOf(provider.writeFile(place, "a", { stream }, call))).code).toBe("payload_too_large");
    server?.closeAllConnections();
  });

  test("a caller that goes away takes its command's request along", async () => {
    const abort = new AbortController();
    let isClosed: (() => void) | undefined;
    const closed = new Promise<void>((resolve) => {
      isClosed = resolve;
    });
    const place = placeAt(
      await serving((request) => {
        request.socket.on("close", () => isClosed?.());
        abort.abort();
      }),
    );
    const error = await errorOf(provider.exec(place, { command: "x" }, { ...call, signal: abort.signal }));
    expect(error.code).toBe("exec_lost");
    await closed;
  });
});
