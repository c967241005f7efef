import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Problem } from "#contract/errors";
import { limits } from "#contract/limits";
import { SandboxBatch } from "#contract/sandbox-batch";
import { Api } from "../../support/api.ts";
import { logsOf } from "../../support/logs.ts";
import type { TestStack } from "../../support/stack.ts";
import { attachSuite } from "./attach.ts";
import { dataPlaneSuite } from "./data-plane.ts";
import { examplesSuite } from "./examples.ts";
import { portsSuite } from "./ports.ts";

const problemOf = async (response: Response) => (await response.json()) as Problem;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The API as a tenant may rely on it, wherever the control plane runs. */
export function apiSuite(name: string, makeStack: () => Promise<TestStack>): void {
  describe(name, () => {
    let stack: TestStack;
    let api: Api;
    beforeAll(async () => {
      stack = await makeStack();
      api = stack.api;
    });
    afterAll(() => stack?.dispose());

    /** A sandbox for the length of one test. */
    async function withSandbox(work: (id: string) => Promise<void>): Promise<void> {
      const { id } = await api.create({ template: "python" });
      try {
        await work(id);
      } finally {
        await api.delete(id);
      }
    }

    examplesSuite(
      () => api,
      () => stack.operator,
    );
    describe("ports", () =>
      portsSuite(
        () => stack,
        () => api,
      ));
    describe("attach", () => attachSuite(() => api));
    dataPlaneSuite(
      () => stack,
      () => api,
    );

    test("only a valid key gets in, and a made-up one looks like a missing one", async () => {
      const madeUp = new Api(stack.url, `e2b_${"0".repeat(40)}`);
      for (const response of [
        await fetch(`${stack.url}/v1/sandboxes`),
        await madeUp.call("GET", "/v1/sandboxes"),
      ]) {
        expect(response.status).toBe(401);
        expect(response.headers.get("www-authenticate")).toContain("Bearer");
        expect(await problemOf(response)).toMatchObject({ code: "unauthenticated", retryable: false });
      }
      expect((await api.call("GET", "/v1/sandboxes")).status).toBe(200);
      expect((await fetch(`${stack.url}/v1/sandboxes`, { headers: { "x-api-key": api.key } })).status).toBe(
        200,
      );
    });

    test("a sandbox runs a program on a file that was put into it, and is gone after its deletion", async () => {
      const { id, state } = await api.create({ template: "python", metadata: { purpose: "test" } });
      expect(state).toBe("running");
      await api.write(id, "numbers.txt", "3\n4\n5\n");
      await api.write(id, "sum.py", "import sys\nprint(sum(int(line) for line in sys.stdin))\n");
      const result = await api.exec(id, "python3 sum.py < numbers.txt");
      expect(result).toMatchObject({ exitCode: 0, stdout: "12\n", stderr: "", endReason: "exited" });
      await api.delete(id);
      expect(await api.get(id)).toMatchObject({ state: "ended", endReason: "killed" });
      const refused = await api.call("POST", `/v1/sandboxes/${id}/exec`, { command: "true" });
      expect(refused.status).toBe(410);
      expect(await problemOf(refused)).toMatchObject({ code: "sandbox_ended" });
    });

    test("a new sandbox is in the list, takes changes, and keeps its record", async () => {
      await withSandbox(async (id) => {
        const listed = (await (await api.call("GET", "/v1/sandboxes?limit=100")).json()) as {
          items: { id: string }[];
        };
        expect(listed.items.map((item) => item.id)).toContain(id);
        const patched = await api.call("PATCH", `/v1/sandboxes/${id}`, { metadata: { run: "7" } });
        expect(patched.status).toBe(200);
        expect(await api.get(id)).toMatchObject({ id, template: "base", metadata: { run: "7" } });
      });
    });

    test("an array is never seen by a shell, a string is", async () => {
      await withSandbox(async (id) => {
        expect((await api.exec(id, ["echo", "$HOME;", "*"])).stdout).toBe("$HOME; *\n");
        expect((await api.exec(id, "echo $HOME")).stdout).toBe("/home/user\n");
      });
    });

    test("a command has its environment, folder and input, and says how it ended", async () => {
      await withSandbox(async (id) => {
        const over = { env: { NAME: "value é" }, cwd: "/tmp", stdin: "line\n" };
        const result = await api.exec(id, 'cat; pwd; echo "$NAME"; echo oops >&2; exit 3', over);
        expect(result).toMatchObject({ exitCode: 3, stdout: "line\n/tmp\nvalue é\n", stderr: "oops\n" });
        expect(await api.exec(id, "sleep 30", { timeoutMs: 200 })).toMatchObject({ endReason: "timeout" });
      });
    });

    test("output beyond the limit is cut and says so", async () => {
      await withSandbox(async (id) => {
        const result = await api.exec(id, `head -c ${limits.execOutputMaxBytes + 1} /dev/zero | tr '\\0' x`);
        expect(result.truncated).toEqual({ stdout: true, stderr: false });
        expect(result.stdout.length).toBe(limits.execOutputMaxBytes);
      });
    });

    test.each([0, 1, 65_536, 65_537, 8 * 1024 * 1024])(
      "a file of %i bytes comes back as it went in",
      async (size) => {
        await withSandbox(async (id) => {
          const content = randomBytes(size);
          await api.write(id, "a/b/c.bin", content);
          const back = await api.call("GET", `/v1/sandboxes/${id}/files?path=a/b/c.bin`);
          expect(back.headers.get("content-length")).toBe(String(size));
          expect(back.headers.get("content-disposition")).toBe("attachment");
          expect(sha256(new Uint8Array(await back.arrayBuffer()))).toBe(sha256(content));
        });
      },
    );

    test("errors are problems with a code, a request id and what to do", async () => {
      await withSandbox(async (id) => {
        const cases: [string, string, object | undefined, number, string][] = [
          ["GET", "/v1/sandboxes/nobody", undefined, 404, "sandbox_not_found"],
          ["GET", "/v1/nothing", undefined, 404, "not_found"],
          ["PUT", "/v1/sandboxes", {}, 405, "method_not_allowed"],
          ["POST", "/v1/sandboxes", { lifetimeSeconds: "long" }, 400, "invalid_request"],
          ["POST", "/v1/sandboxes", { template: "nowhere" }, 404, "template_not_found"],
          ["POST", `/v1/sandboxes/${id}/exec`, { command: ["/no/such/program"] }, 422, "command_not_found"],
          ["GET", `/v1/sandboxes/${id}/files?path=missing`, undefined, 404, "file_not_found"],
          ["GET", `/v1/sandboxes/${id}/files?path=/tmp`, undefined, 409, "not_a_file"],
        ];
        for (const [method, path, body, status, code] of cases) {
          const response = await api.call(method, path, body);
          expect([path, response.status]).toEqual([path, status]);
          expect(response.headers.get("content-type")).toBe("application/problem+json");
          const problem = await problemOf(response);
          expect(problem).toMatchObject({ code, status });
          expect(problem.requestId).toBe(response.headers.get("x-request-id"));
        }
      });
    });

    test("a caller who goes away holds up nobody, and what it began is on record", async () => {
      await withSandbox(async (id) => {
        // More than any client or runtime keeps in one pool of connections.
        const calls = Array.from({ length: 24 }, async () => {
          const abort = AbortSignal.timeout(150);
          const body = JSON.stringify({ command: "sleep 20", timeoutMs: 20_000 });
          const headers = { "x-api-key": api.key, "content-type": "application/json" };
          const url = `${stack.url}/v1/sandboxes/${id}/exec`;
          return fetch(url, { method: "POST", headers, body, signal: abort }).catch(() => undefined);
        });
        expect(await Promise.all(calls)).toEqual(calls.map(() => undefined));
        expect((await api.exec(id, "echo here")).stdout).toBe("here\n");
      });
    });

    test("a create whose caller goes away leaves a sandbox that can be found and ended", async () => {
      const metadata = { aborted: randomBytes(4).toString("hex") };
      const abort = new AbortController();
      const sent = fetch(`${stack.url}/v1/sandboxes`, {
        method: "POST",
        headers: { "x-api-key": api.key, "content-type": "application/json" },
        body: JSON.stringify({ metadata }),
        signal: abort.signal,
      }).catch(() => undefined);
      setTimeout(() => abort.abort(), 5);
      await sent;
      type Page = { items: { id: string; state: string; metadata: Record<string, string> }[] };
      const mine = async () => {
        const page = (await (await api.call("GET", "/v1/sandboxes?limit=100")).json()) as Page;
        return page.items.filter(
          (item) => item.metadata.aborted === metadata.aborted && item.state !== "ended",
        );
      };
      await expect.poll(async () => (await mine()).every(({ state }) => state === "running")).toBe(true);
      for (const { id } of await mine()) await api.delete(id);
      expect(await mine()).toEqual([]);
    });

    test("a request id leads from the control plane's log line to the host's, and no secret is in any", async () => {
      const canary = (kind: string) => `canary-${kind}-${randomBytes(8).toString("hex")}`;
      const secrets = {
        env: canary("env"),
        stdin: canary("stdin"),
        file: canary("file"),
        command: canary("cmd"),
      };
      const body = { template: "python", env: { SECRET: secrets.env } };
      const { id } = (await (await api.call("POST", "/v1/sandboxes", body)).json()) as { id: string };
      await api.write(id, `${secrets.file}.txt`, secrets.file);
      await api.read(id, `${secrets.file}.txt`);
      const executed = await api.call("POST", `/v1/sandboxes/${id}/exec`, {
        command: `cat; echo ${secrets.command} $MINE`,
        stdin: secrets.stdin,
        env: { MINE: secrets.env },
      });
      // What is refused must not be told either.
      await api.call("POST", "/v1/sandboxes", { template: secrets.command, env: { [secrets.env]: 1 } });
      await api.delete(id);
      const logs = logsOf(stack.dataDir);
      const requestId = executed.headers.get("x-request-id") ?? "none";
      await expect.poll(() => logs.about(requestId).length).toBe(2);
      const [atControlPlane, atHost] = logs.about(requestId);
      const common = {
        event: "request",
        level: "info",
        status: 200,
        sandboxId: id,
        durationMs: expect.any(Number),
      };
      expect(atControlPlane).toMatchObject({ ...common, service: "control-plane", route: "exec" });
      expect(atHost).toMatchObject({ ...common, service: "agent-host", route: "/v1/sandboxes/:id/exec" });
      for (const secret of [...Object.values(secrets), api.key]) expect(logs.text()).not.toContain(secret);
    });

    test("a batch gets as many sandboxes as it asks for, each working, and more than the pool has", async () => {
      const response = await api.call("POST", "/v1/sandboxes/batch", { count: 9, env: { KIND: "batch" } });
      expect(response.status).toBe(201);
      const { items } = SandboxBatch.parse(await response.json());
      const ids = items.map(({ sandbox }) => sandbox?.id ?? "none");
      const ran = await Promise.all(ids.map((id) => api.exec(id, `echo $KIND ${id}`)));
      expect(ran.map(({ stdout }) => stdout)).toEqual(ids.map((id) => `batch ${id}\n`));
      await Promise.all(ids.map((id) => api.delete(id)));
    });

    test("creates at once each get a sandbox of their own", async () => {
      const created = await Promise.all(Array.from({ length: 4 }, () => api.create()));
      expect(new Set(created.map(({ id }) => id)).size).toBe(4);
      const whoami = await Promise.all(created.map(({ id }) => api.exec(id, `echo ${id}`)));
      expect(whoami.map(({ stdout }) => stdout.trim())).toEqual(created.map(({ id }) => id));
      await Promise.all(created.map(({ id }) => api.delete(id)));
    });
  });
}
