import { readFile } from "node:fs/promises";

export type DemoResult = {
  output: string;
  sandboxId: string;
  createMs: number;
  firstExecMs: number;
  execMs: number;
};

const demoFolder = new URL("../../docs/demo/", import.meta.url);

/**
 * Runs a real program on a real text in a sandbox, over the public API as any tenant would, and deletes the sandbox.
 * @throws Error with the API's own words when a step is refused
 */
export async function runDemo(api: { url: string; key: string }): Promise<DemoResult> {
  const call = caller(api);
  const [created, createMs] = await timed(() => call("POST", "/v1/sandboxes", { template: "python" }));
  const { id } = (await created.json()) as { id: string };
  try {
    const exec = async (command: string[]) => {
      const response = await call("POST", `/v1/sandboxes/${id}/exec`, { command });
      return (await response.json()) as { exitCode: number; stdout: string; stderr: string };
    };
    const [, firstExecMs] = await timed(() => exec(["true"]));
    for (const name of ["gettysburg.txt", "words.py"]) {
      await call("PUT", `/v1/sandboxes/${id}/files?path=${name}`, await readFile(new URL(name, demoFolder)));
    }
    const [result, execMs] = await timed(() => exec(["python3", "words.py", "gettysburg.txt"]));
    if (result.exitCode !== 0) throw new Error(`The demo program failed: ${result.stderr}`);
    return { output: result.stdout, sandboxId: id, createMs, firstExecMs, execMs };
  } finally {
    // A failure here must not hide the one that led here; the sandbox ends by itself then.
    await call("DELETE", `/v1/sandboxes/${id}`).catch(() => undefined);
  }
}

function caller(api: { url: string; key: string }) {
  return async (method: string, path: string, body?: unknown): Promise<Response> => {
    const isBytes = body instanceof Uint8Array;
    const response = await fetch(api.url + path, {
      method,
      headers: {
        authorization: `Bearer ${api.key}`,
        ...(body !== undefined && {
          "content-type": isBytes ? "application/octet-stream" : "application/json",
        }),
      },
      ...(body !== undefined && { body: isBytes ? new Uint8Array(body) : JSON.stringify(body) }),
    });
    if (!response.ok)
      throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    return response;
  };
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startedMs = performance.now();
  const result = await work();
  return [result, performance.now() - startedMs];
}
