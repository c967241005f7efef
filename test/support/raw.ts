import { request } from "node:http";
import type { Api } from "./api.ts";

export type RawRequest = { method: string; path: string; headers?: Record<string, string>; body?: string };

/** Sends path and headers as they are given, where `fetch` would tidy the path up and count the body itself. */
export function sendRaw(api: Api, { method, path, headers, body }: RawRequest): Promise<Response> {
  const { hostname, port } = new URL(api.url);
  return new Promise((resolve, reject) => {
    const sent = request({
      hostname,
      port,
      method,
      path,
      headers: { authorization: `Bearer ${api.key}`, ...headers },
      // A connection of its own: one whose body was refused half-way is closed and must not be used again.
      agent: false,
    });
    sent.once("error", reject);
    sent.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        sent.destroy();
        const fields = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        resolve(
          new Response(Buffer.concat(chunks), {
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(fields),
          }),
        );
      });
    });
    if (body === undefined && headers?.["content-length"] !== undefined) sent.flushHeaders();
    else sent.end(body);
  });
}
