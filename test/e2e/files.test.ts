import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EntryPage } from "#contract/files";
import { scratchFolder } from "../support/machine.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
let id: string;
const scratch = scratchFolder();
beforeAll(async () => {
  stack = await testStack();
  ({ id } = await stack.api.create());
});
afterAll(async () => {
  scratch.dispose();
  await stack?.dispose();
});

type Sent = { method?: string; headers?: Record<string, string>; body?: Uint8Array<ArrayBuffer> };
const ask = (resource: string, query: Record<string, string>, { headers, ...rest }: Sent = {}) =>
  fetch(`${stack.api.url}/v1/sandboxes/${id}/${resource}?${new URLSearchParams(query)}`, {
    ...rest,
    headers: { ...headers, authorization: `Bearer ${stack.api.key}` },
  });
const file = (path: string, headers?: Record<string, string>, method = "GET") =>
  ask("files", { path }, { method, ...(headers && { headers }) });
const entries = async (query: Record<string, string>) =>
  EntryPage.parse(await (await ask("entries", query)).json());

test("a file is read in parts, and not at all when it is the same as before", async () => {
  await stack.api.write(id, "parts", "0123456789");
  const whole = await file("parts");
  expect(await whole.text()).toBe("0123456789");
  const header = (name: string) => whole.headers.get(name) ?? "";
  expect(header("accept-ranges")).toBe("bytes");
  const part = await file("parts", { range: "bytes=3-5" });
  expect([part.status, await part.text()]).toEqual([206, "345"]);
  expect([part.headers.get("content-range"), part.headers.get("content-length")]).toEqual([
    "bytes 3-5/10",
    "3",
  ]);
  const beyond = await file("parts", { range: "bytes=10-" });
  expect(beyond.headers.get("content-range")).toBe("bytes */10");
  await expectProblem(beyond, 416, "range_not_satisfiable");
  for (const conditions of [
    { "if-none-match": header("etag") },
    { "if-modified-since": header("last-modified") },
  ]) {
    const same = await file("parts", conditions);
    expect([same.status, await same.text(), same.headers.get("etag")]).toEqual([304, "", header("etag")]);
  }
  const head = await file("parts", undefined, "HEAD");
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "10", ""]);
  expect((await file("missing", undefined, "HEAD")).status).toBe(404);
  // Changed in place, to the same length, by a program.
  await stack.api.exec(id, "printf 9876543210 | dd of=parts conv=notrunc status=none");
  expect(await (await file("parts", { "if-none-match": header("etag") })).text()).toBe("9876543210");
});

test("names of any bytes are listed as valid JSON that loses nothing, and deleted", async () => {
  const names = ["newline\nname", "\x1b[2Jescape", "n".repeat(255), "\u2028"].map((name) =>
    Buffer.from(name),
  );
  names.push(Buffer.from([0xff, 0xfe, 0x80]));
  const script =
    "import os, sys\nos.makedirs('odd')\nfor name in sys.argv[1:]: open(b'odd/' + bytes.fromhex(name), 'w')";
  await stack.api.exec(id, ["python3", "-c", script, ...names.map((name) => name.toString("hex"))]);
  const { items } = await entries({ path: "odd" });
  const bytesOf = ({ path, pathBase64 }: (typeof items)[number]) =>
    pathBase64 === undefined ? Buffer.from(path) : Buffer.from(pathBase64, "base64");
  const listed = items.map((item) => bytesOf(item).subarray("/home/user/odd/".length).toString("hex"));
  expect(listed.toSorted()).toEqual(names.map((name) => name.toString("hex")).toSorted());
  const answer = await ask("files", { path: "odd", recursive: "true" }, { method: "DELETE" });
  expect(answer.status).toBe(204);
  await expectProblem(await ask("entries", { path: "odd" }), 404, "file_not_found");
});

test("times and sizes that no program means are shown all the same", async () => {
  await stack.api.exec(
    id,
    // Where there is no limit for a file but the number itself.
    "mkdir /tmp/strange; cd /tmp/strange; truncate -s 7E big; touch -d @9999999999999 late; touch -d @-99 early",
  );
  const { items } = await entries({ path: "/tmp/strange" });
  expect(items.map(({ name }) => name)).toEqual(["big", "early", "late"]);
  expect(items[0]?.size).toBe(Number.MAX_SAFE_INTEGER);
  expect((await file("/tmp/strange/late", undefined, "HEAD")).status).toBe(200);
  expect((await file("/tmp/strange/big", undefined, "HEAD")).status).toBe(200);
});

test("an archive made here is unpacked there, and comes back the same", async () => {
  const local = join(scratch.path, "tree");
  mkdirSync(join(local, "sub"), { recursive: true });
  writeFileSync(join(local, "sub", "tool"), "#!/bin/sh\necho run\n", { mode: 0o755 });
  writeFileSync(join(local, "data"), Buffer.alloc(3_000_000, "abc"));
  const tar = execFileSync("tar", ["-C", local, "-cf", "-", "."], { maxBuffer: 2 ** 24 });
  await stack.api.exec(id, "mkdir plain packed");
  const put = (path: string, body: Buffer, type: string) =>
    ask(
      "archive",
      { path },
      { method: "PUT", headers: { "content-type": type }, body: new Uint8Array(body) },
    );
  expect((await put("plain", tar, "application/x-tar")).status).toBe(204);
  expect((await put("packed", gzipSync(tar), "application/gzip")).status).toBe(204);
  expect(
    (await stack.api.exec(id, "plain/sub/tool; diff -r plain packed && stat -c %U plain/data")).stdout,
  ).toBe("run\nuser\n");
  const got = await ask("archive", { path: "plain" });
  expect(got.headers.get("content-type")).toBe("application/x-tar");
  const names = (archive: Buffer) => execFileSync("tar", ["-tf", "-"], { input: archive }).toString().trim();
  const listed = names(Buffer.from(await got.arrayBuffer()))
    .split("\n")
    .toSorted();
  expect(listed).toEqual(["./", "./data", "./sub/", "./sub/tool"]);
  const packed = await ask("archive", { path: "plain" }, { headers: { accept: "application/gzip" } });
  expect(packed.headers.get("content-type")).toBe("application/gzip");
  expect(names(gunzipSync(Buffer.from(await packed.arrayBuffer()))).split("\n")).toHaveLength(4);
  await expectProblem(await put("plain", gzipSync(tar), "application/x-tar"), 422, "archive_invalid");
  await expectProblem(await put("plain/data", tar, "application/x-tar"), 409, "not_a_folder");
  await expectProblem(await ask("archive", { path: "/proc/self" }), 400, "path_refused");
  await expectProblem(await put("/etc", tar, "application/x-tar"), 403, "file_permission_denied");
});

test("100 MB go through in both directions without being held anywhere", async () => {
  const { id: box } = await stack.api.create({ memoryMiB: 512 });
  const path = `/v1/sandboxes/${box}/files?path=/workspace/big`;
  const content = Buffer.alloc(100_000_000, "0123456789abcdef");
  expect((await stack.api.call("PUT", path, content)).status).toBe(200);
  expect((await stack.api.read(box, "/workspace/big")).equals(content)).toBe(true);
  await stack.api.delete(box);
});
