import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { watchRequests } from "#worker/node-drain";
import { createNodeServer } from "#worker/node-serve";

const offer =
  "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";

async function ask(client: Socket): Promise<void> {
  client.write(offer);
  for (let text = ""; !text.includes("served"); ) {
    const [chunk] = await once(client, "data");
    text += chunk;
  }
}
const listenersOf = (socket: Socket) =>
  socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);

test("a connection that offers HTTP/2 with every request holds no more for a hundred than for one", async () => {
  const server = createNodeServer(() => new Response("served"));
  const drain = watchRequests(server);
  const accepted = once(server, "connection");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await accepted) as [Socket];
  await ask(client);
  const first = listenersOf(socket);
  for (let more = 0; more < 99; more++) await ask(client);
  await expect.poll(() => listenersOf(socket)).toBeLessThanOrEqual(first);
  client.destroy();
  await drain(1_000);
});
