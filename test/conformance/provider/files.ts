import { expect, test } from "vitest";
import type { EntryPage } from "#contract/files";
import { newTenantId } from "#contract/ids";
import type { FileContent, Place, ReadWish, SandboxProvider } from "#worker/providers/provider";
import { eventsOf } from "../../support/events.ts";

const call = { requestId: "req_conformance00000000", deadlineMs: 20_000 };
const streamOf = (text: string) => new Blob([text]).stream();
const textOf = (body: FileContent["body"]) => new Response(body).text();

/** What every provider promises of files, folders and archives. */
export function filePromises(
  provider: () => SandboxProvider,
  withSandbox: (work: (place: Place) => Promise<void>) => Promise<void>,
  codeOf: (work: Promise<unknown>) => Promise<string>,
): void {
  const write = (place: Place, path: string, text: string) =>
    provider().writeFile(place, path, { stream: streamOf(text) }, call);
  const read = (place: Place, path: string, headers: ReadWish["headers"] = {}, headOnly = false) =>
    provider().readFile(place, path, { headOnly, headers }, call);
  const remove = (place: Place, path: string, recursive = false) =>
    codeOf(provider().deleteFile(place, { path, recursive }, call));

  test("ranges and conditions of a file are kept to, and its facts can be had alone", async () => {
    await withSandbox(async (place) => {
      await write(place, "f", "0123456789");
      const { etag, lastModified, body } = await read(place, "f");
      expect(await textOf(body)).toBe("0123456789");
      for (const [range, text, contentRange] of [
        ["bytes=2-4", "234", "bytes 2-4/10"],
        ["bytes=7-", "789", "bytes 7-9/10"],
        ["bytes=-2", "89", "bytes 8-9/10"],
        ["bytes=5-99", "56789", "bytes 5-9/10"],
      ] as const) {
        const part = await read(place, "f", { range });
        expect(part).toMatchObject({ status: 206, length: text.length, contentRange, etag });
        expect(await textOf(part.body)).toBe(text);
      }
      for (const range of ["bytes=1-2,4-5", "lines=1-2", "bytes=x", "bytes=5-2"]) {
        const all = await read(place, "f", { range });
        expect([all.status, await textOf(all.body)]).toEqual([200, "0123456789"]);
      }
      for (const range of ["bytes=10-", "bytes=-0"])
        expect(await codeOf(read(place, "f", { range }))).toBe("range_not_satisfiable");
      const known = await read(place, "f", { "if-none-match": `"other", W/${etag}` });
      expect(known).toMatchObject({ status: 304, body: null, etag });
      expect((await read(place, "f", { "if-modified-since": lastModified })).status).toBe(304);
      const resumed = await read(place, "f", { range: "bytes=8-", "if-range": etag });
      expect([resumed.status, await textOf(resumed.body)]).toEqual([206, "89"]);
      expect(await read(place, "f", {}, true)).toMatchObject({ status: 200, length: 10, body: null, etag });

      await write(place, "f", "9876543210");
      const changed = await read(place, "f", { "if-none-match": etag });
      expect([changed.status, await textOf(changed.body)]).toEqual([200, "9876543210"]);
      const other = await read(place, "f", { range: "bytes=8-", "if-range": etag });
      expect([other.status, await textOf(other.body)]).toEqual([200, "9876543210"]);
    });
  });

  test("a tree is listed to a depth, in pages, and a path by itself", async () => {
    await withSandbox(async (place) => {
      for (const path of ["t/a/1", "t/a/2", "t/a-", "t/b/c/d"]) await write(place, path, "xyz");
      const list = (query: { path: string; depth?: number; limit?: number; cursor?: string }) =>
        provider().listEntries(place, query, call);
      const paths = ({ items }: EntryPage) => items.map(({ path }) => path.replace("/home/user/t/", ""));
      expect(paths(await list({ path: "t" }))).toEqual(["a", "a-", "b"]);
      const all = ["a", "a/1", "a/2", "a-", "b", "b/c", "b/c/d"];
      expect(paths(await list({ path: "/home/user/t", depth: 9 }))).toEqual(all);
      const found: string[] = [];
      for (let cursor: string | undefined, pages = 0; pages === 0 || cursor !== undefined; pages++) {
        const page = await list({ path: "t", depth: 9, limit: 2, ...(cursor && { cursor }) });
        found.push(...paths(page));
        cursor = page.nextCursor;
      }
      expect(found).toEqual(all);
      expect((await list({ path: "t/a/1", depth: 0 })).items).toMatchObject([
        { path: "/home/user/t/a/1", name: "1", type: "file", size: 3, mode: "0644", owner: "user" },
      ]);
      expect((await list({ path: "t", depth: 0 })).items).toMatchObject([{ type: "directory" }]);
      expect(await codeOf(list({ path: "t/a/1" }))).toBe("not_a_folder");
      expect(await codeOf(list({ path: "nothing" }))).toBe("file_not_found");
      expect(await codeOf(list({ path: "nothing", depth: 0 }))).toBe("file_not_found");
    });
  });

  test("files are deleted, folders that are not empty only when asked", async () => {
    await withSandbox(async (place) => {
      for (const path of ["d/x", "d/e/y"]) await write(place, path, "");
      expect(await remove(place, "d/x")).toBe("no error");
      expect(await codeOf(read(place, "d/x"))).toBe("file_not_found");
      expect(await remove(place, "d")).toBe("folder_not_empty");
      expect(await remove(place, "d", true)).toBe("no error");
      expect(await remove(place, "d", true)).toBe("file_not_found");
    });
  });

  test("a folder is packed and unpacked elsewhere, and what is no archive is refused", async () => {
    await withSandbox(async (place) => {
      for (const path of ["from/a", "from/sub/b", "to/c"]) await write(place, path, `in ${path}`);
      const pack = (path: string) => provider().readArchive(place, { path, isGzip: false }, call);
      const unpack = (path: string, content: ReadableStream<Uint8Array>) =>
        provider().writeArchive(place, { path, isGzip: false }, { stream: content }, call);
      const packed = new Uint8Array(await new Response(await pack("from")).arrayBuffer());
      expect(packed.length % 512).toBe(0);
      await unpack("/home/user/to", new Blob([packed]).stream());
      expect(await textOf((await read(place, "to/sub/b")).body)).toBe("in from/sub/b");
      expect(await textOf((await read(place, "to/c")).body)).toBe("in to/c");
      for (const work of [pack("nothing"), unpack("nothing", streamOf(""))])
        expect(await codeOf(work)).toBe("file_not_found");
      expect(await codeOf(pack("to/c"))).toBe("not_a_folder");
      expect(await codeOf(unpack("to", streamOf("no archive ".repeat(100))))).toBe("archive_invalid");
    });
  });

  test("a watch tells of a file that comes into its folder, and of nothing elsewhere", async () => {
    await withSandbox(async (place) => {
      await write(place, "watched/old", "1");
      const stream = await provider().watch(place, { path: "/home/user/watched" }, call);
      const events = eventsOf(stream);
      expect((await events.next()).value?.event).toBe("ready");
      await write(place, "elsewhere", "2");
      await write(place, "watched/new", "3");
      const { value } = await events.next();
      expect(value?.event).toBe("create");
      expect(JSON.parse(value?.data ?? "{}")).toMatchObject({
        path: "/home/user/watched/new",
        isFolder: false,
      });
      await events.return(undefined);
      const missing = provider().watch(place, { path: "/home/user/missing" }, call);
      expect(await codeOf(missing)).toBe("file_not_found");
      const foreign = { ...place, tenantId: newTenantId() };
      expect(await codeOf(provider().watch(foreign, { path: "/tmp" }, call))).toBe("sandbox_not_found");
    });
  });
}
