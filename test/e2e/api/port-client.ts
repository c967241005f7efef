import { readFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { expect, vi } from "vitest";
import type { Api } from "../../support/api.ts";
import type { TestStack } from "../../support/stack.ts";

export const guestPort = 9_000;
const guestSource = readFileSync(new URL("../../support/guest-server.mjs", import.meta.url));

/** Sandboxes with a server in them, and the ways to ask it. */
export function portClient(stack: () => TestStack, api: () => Api) {
  const boxes: string[] = [];
  const urlOf = (id: string, path: string, port = guestPort) =>
    `${stack().url}/v1/sandboxes/${id}/ports/${port}${path}`;
  const mine = () => ({ authorization: `Bearer ${api().key}` });

  function call(id: string, path: string, init: RequestInit & { port?: number; duplex?: "half" } = {}) {
    const headers = { ...mine(), ...(init.headers as Record<string, string>) };
    return fetch(urlOf(id, path, init.port), { redirect: "manual", ...init, headers });
  }

  /** By host name, which `fetch` would not send. */
  function byName(id: string, path: string, headers: Record<string, string> = {}, port = guestPort) {
    type Answer = { status: number; headers: IncomingHttpHeaders; body: string };
    return new Promise<Answer>((resolve, reject) => {
      const { hostname, port: apiPort } = new URL(stack().url);
      const host = `${port}-${id}.localhost:${apiPort}`;
      const sent = request({
        host: hostname,
        port: apiPort,
        path,
        headers: { host, ...headers },
        agent: false,
      });
      sent.once("error", reject);
      sent.once("response", (message) => {
        let body = "";
        message.on("data", (chunk) => {
          body += chunk;
        });
        message.once("end", () =>
          resolve({ status: message.statusCode ?? 0, headers: message.headers, body }),
        );
      });
      sent.end();
    });
  }

  async function newGuest(publicPorts: boolean): Promise<string> {
    const { id } = await api().create({ publicPorts });
    boxes.push(id);
    await api().write(id, "guest-server.mjs", guestSource);
    await api().exec(id, `node guest-server.mjs ${guestPort} >/tmp/guest.log 2>&1 &`);
    await vi.waitFor(async () => expect((await call(id, "/hello")).status).toBe(200), { timeout: 15_000 });
    return id;
  }

  async function dispose(): Promise<void> {
    await Promise.all(
      boxes.map((id) =>
        api()
          .delete(id)
          .catch(() => undefined),
      ),
    );
  }
  return { urlOf, mine, call, byName, newGuest, dispose };
}
