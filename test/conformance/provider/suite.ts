import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostCreate } from "#contract/host";
import { newSandboxId, newTenantId } from "#contract/ids";
import { AppError } from "#worker/errors";
import type { Place, ReadWish, SandboxProvider } from "#worker/providers/provider";
import { execPromises } from "./exec.ts";
import { filePromises } from "./files.ts";
import { portPromises } from "./ports.ts";
import { processPromises } from "./processes.ts";

/** What a suite run needs: a provider, and a host that it reaches. */
export type Subject = {
  provider: SandboxProvider;
  host: Pick<Place, "hostId" | "url"> & { code: Parameters<typeof newSandboxId>[0] };
  template: string;
  close: () => Promise<void>;
};

const call = { requestId: "req_conformance00000000", deadlineMs: 20_000 };
const whole: ReadWish = { headOnly: false, headers: {} };
const bytes = (text: string) => new TextEncoder().encode(text);
const streamOf = (content: Uint8Array) => new Blob([new Uint8Array(content)]).stream();

/** Holds every provider to the same promises; the fake that other tests rely on is held to them as well. */
export function providerConformance(name: string, makeSubject: () => Promise<Subject>): void {
  describe(`provider: ${name}`, () => {
    let subject: Subject;
    beforeAll(async () => {
      subject = await makeSubject();
    });
    afterAll(() => subject.close());

    const newPlace = (): Place => ({
      tenantId: newTenantId(),
      sandboxId: newSandboxId(subject.host.code),
      hostId: subject.host.hostId,
      url: subject.host.url,
    });
    const specOf = (place: Place): HostCreate => ({
      sandboxId: place.sandboxId,
      tenantId: place.tenantId,
      generation: 1,
      template: subject.template,
      cpu: 1,
      memoryMiB: 256,
      pids: 256,
      diskMiB: 1024,
      env: { GREETING: "hello" },
      idleSeconds: 300,
      publicPorts: false,
      expiresAtMs: Date.now() + 600_000,
    });
    async function withSandbox(
      work: (place: Place) => Promise<void>,
      over: Partial<HostCreate> = {},
    ): Promise<void> {
      const place = newPlace();
      await subject.provider.create(place, { ...specOf(place), ...over }, call);
      try {
        await work(place);
      } finally {
        await subject.provider.kill(place, 1, call);
      }
    }
    const codeOf = (work: Promise<unknown>) =>
      work.then(
        () => "no error",
        (error: unknown) => (error instanceof AppError ? error.code : `not an AppError: ${error}`),
      );

    test("the same create sent twice makes one sandbox and succeeds twice", async () => {
      await withSandbox(async (place) => {
        const again = await subject.provider.create(place, specOf(place), call);
        expect(again).toMatchObject({ sandboxId: place.sandboxId, generation: 1 });
      });
    });

    execPromises({ provider: () => subject.provider, call, withSandbox, codeOf });
    test("a file is read back byte for byte, small or longer than a signed body", async () => {
      await withSandbox(async (place) => {
        for (const size of [0, 5, 200_000]) {
          const content = Uint8Array.from({ length: size }, (_, i) => i % 251);
          const written = await subject.provider.writeFile(
            place,
            "f.bin",
            { stream: streamOf(content) },
            call,
          );
          expect(written).toMatchObject({ path: "/home/user/f.bin", size });
          const file = await subject.provider.readFile(place, "/home/user/f.bin", whole, call);
          expect(file).toMatchObject({ status: 200, length: size });
          const read = Buffer.from(await new Response(file.body).arrayBuffer());
          expect(read.equals(content)).toBe(true);
        }
      });
    });

    test("a command sees the file that was written", async () => {
      await withSandbox(async (place) => {
        await subject.provider.writeFile(place, "hi.txt", { stream: streamOf(bytes("hi")) }, call);
        const shown = await subject.provider.exec(place, { command: ["cat", "/home/user/hi.txt"] }, call);
        expect(shown.stdout).toBe("hi");
      });
    });

    test("a path may hold what an address must escape", () =>
      withSandbox(async (place) => {
        const path = '/workspace/it\'s 100% "ü" & more?#+;.txt';
        await subject.provider.writeFile(place, path, { stream: streamOf(bytes("kept")) }, call);
        const { body } = await subject.provider.readFile(place, path, whole, call);
        expect(await new Response(body).text()).toBe("kept");
      }));

    test("a file that is not there is file_not_found", async () => {
      await withSandbox(async (place) => {
        expect(await codeOf(subject.provider.readFile(place, "missing.txt", whole, call))).toBe(
          "file_not_found",
        );
      });
    });

    portPromises({ provider: () => subject.provider, call, withSandbox, codeOf });
    filePromises(() => subject.provider, withSandbox, codeOf);
    processPromises(() => subject.provider, withSandbox, codeOf);

    test("a deadline can be moved", async () => {
      await withSandbox(async (place) => {
        await subject.provider.patch(place, 1, { expiresAtMs: Date.now() + 900_000 }, call);
      });
    });

    test("what a sandbox uses can be read, with what it may use", async () => {
      await withSandbox(async (place) => {
        const { current, ...metrics } = await subject.provider.metrics(place, call);
        expect(metrics).toMatchObject({ cpu: 1, memoryLimitBytes: 256 * 2 ** 20, history: [] });
        expect(current.memoryBytes).toBeGreaterThan(0);
        expect(current.memoryBytes).toBeLessThan(metrics.memoryLimitBytes);
        expect(current.processes).toBeGreaterThan(0);
      });
    });

    test("another tenant finds nothing: no command, no file, no kill", async () => {
      await withSandbox(async (place) => {
        const foreign = { ...place, tenantId: newTenantId() };
        expect(await codeOf(subject.provider.exec(foreign, { command: ["echo"] }, call))).toBe(
          "sandbox_not_found",
        );
        expect(await codeOf(subject.provider.readFile(foreign, "x", whole, call))).toBe("sandbox_not_found");
        const body = { stream: streamOf(bytes("x")) };
        expect(await codeOf(subject.provider.writeFile(foreign, "x", body, call))).toBe("sandbox_not_found");
        const { provider } = subject;
        const target = { path: "x", recursive: true };
        const archive = { path: "/home/user", isGzip: false };
        for (const refused of [
          provider.metrics(foreign, call),
          provider.deleteFile(foreign, target, call),
          provider.listEntries(foreign, { path: "/home/user" }, call),
          provider.readArchive(foreign, archive, call),
          provider.writeArchive(foreign, archive, { stream: streamOf(bytes("x")) }, call),
        ])
          expect(await codeOf(refused)).toBe("sandbox_not_found");
        expect(await subject.provider.kill(foreign, 1, call)).toBeNull();
        expect((await subject.provider.exec(place, { command: ["echo"] }, call)).exitCode).toBe(0);
      });
    });

    test("an ended sandbox is gone, and ending it again says so", async () => {
      const place = newPlace();
      await subject.provider.create(place, specOf(place), call);
      const end = await subject.provider.kill(place, 1, call);
      expect(end).toMatchObject({ sandboxId: place.sandboxId, generation: 1, endReason: "killed" });
      const after = await codeOf(subject.provider.exec(place, { command: ["echo"] }, call));
      expect(["sandbox_not_found", "sandbox_ended"]).toContain(after);
    });

    test("an id that never was is not known", async () => {
      const place = newPlace();
      expect(await subject.provider.kill(place, 1, call)).toBeNull();
      expect(await codeOf(subject.provider.exec(place, { command: ["echo"] }, call))).toBe(
        "sandbox_not_found",
      );
      const patched = subject.provider.patch(place, 1, { expiresAtMs: Date.now() + 60_000 }, call);
      expect(await codeOf(patched)).toBe("sandbox_not_found");
    });
  });
}
