import { request } from "node:http";
import type { TestStack } from "../support/stack.ts";
import { type Sample, summarize } from "./measure.ts";

const lines = 100;
/** Prints the time every 20 ms, so that each line says itself how late it is. */
const clock = `import time
for _ in range(${lines}):
    print(time.time_ns(), flush=True)
    time.sleep(0.02)
`;

/** How late output reaches a reader: sandbox and reader share one machine and so one clock. */
export async function streamLag(stack: TestStack): Promise<Sample> {
  const { id } = await stack.api.create();
  const body = JSON.stringify({ command: ["python3", "-c", clock] });
  const lagMs: number[] = [];
  const note = (event: string) => {
    const data = event.startsWith("event: stdout") ? /^data: (.*)$/m.exec(event)?.[1] : undefined;
    if (data === undefined) return;
    const nowMs = performance.timeOrigin + performance.now();
    const printed = (JSON.parse(data) as { data: string }).data.trim().split("\n");
    for (const line of printed) lagMs.push(nowMs - Number(BigInt(line) / 1000n) / 1000);
  };
  await readEvents(stack, `/v1/sandboxes/${id}/exec`, body, note);
  await stack.api.delete(id);
  return summarize(lagMs);
}

function readEvents(stack: TestStack, path: string, body: string, onEvent: (event: string) => void) {
  const headers = {
    authorization: `Bearer ${stack.apiKey}`,
    accept: "text/event-stream",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  };
  return new Promise<void>((resolve, reject) => {
    const outgoing = request(stack.url + path, { method: "POST", headers }, (response) => {
      let rest = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        const events = (rest + text).split("\n\n");
        rest = events.pop() ?? "";
        for (const event of events) onEvent(event.replace(/^id: .*\n/m, ""));
      });
      response.once("end", resolve);
      response.once("error", reject);
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}
