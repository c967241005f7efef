import { Problem } from "#contract/errors";
import type { Order } from "./command.ts";

const deadlineMs = 30_000;

/**
 * Sends an order to the admin API. `undefined` = there is nothing to say.
 * @throws Error with one sentence, for people
 */
export async function send(
  to: { url: string; adminKey: string },
  order: Order,
  call: typeof fetch,
): Promise<unknown> {
  const { row, path, body } = order;
  const response = await call(new URL(path, to.url), {
    method: row.method.toUpperCase(),
    headers: {
      authorization: `Bearer ${to.adminKey}`,
      ...(body && { "content-type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
    redirect: "error",
    signal: AbortSignal.timeout(deadlineMs),
  }).catch((cause: unknown) => {
    throw new Error(`Nothing answers at ${to.url}: is the control plane running?`, { cause });
  });
  const text = await response.text();
  if (!response.ok) throw new Error(sentenceOf(response.status, text));
  return text === "" ? undefined : JSON.parse(text);
}

function sentenceOf(status: number, text: string): string {
  const problem = Problem.safeParse(maybeJson(text)).data;
  if (!problem) return `The answer was ${status}, and not one of Sandgate's. Check SANDGATE_URL.`;
  const issues = (problem.issues ?? []).map(({ path, message }) => `\n  ${path}: ${message}`).join("");
  return `${problem.detail} (${problem.code}, ${problem.requestId})${issues}`;
}

function maybeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
