import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

/** A tar with one file, as small as an image's layer can be. */
function layerOf(name: string, content: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        0", 148);
  header.write("ustar\0" + "00", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const body = Buffer.alloc(512);
  body.write(content);
  return Buffer.concat([header, body, Buffer.alloc(1024)]);
}

export type TestRegistry = {
  /** Its name in an image's reference. */
  host: string;
  /** The digest of the image's manifest. */
  digest: string;
  /** What was asked for, with what came as authorization. */
  requests: { path: string; authorization: string | undefined }[];
  /** The most manifests that were being asked for at the same time. */
  mostAtOnce: () => number;
  close(): Promise<void>;
};

/** A registry on loopback, by the distribution protocol, with one tiny image under every name; it wants Basic credentials. */
export async function testRegistry(label: string, credentials: string): Promise<TestRegistry> {
  const layer = layerOf("hello", label);
  const packed = gzipSync(layer);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Labels: { "sandgate.test": label } },
      rootfs: { type: "layers", diff_ids: [sha256(layer)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: {
        mediaType: "application/vnd.docker.container.image.v1+json",
        size: config.length,
        digest: sha256(config),
      },
      layers: [
        {
          mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
          size: packed.length,
          digest: sha256(packed),
        },
      ],
    }),
  );
  const blobs = new Map([config, packed].map((bytes) => [sha256(bytes), bytes]));
  const expected = `Basic ${Buffer.from(credentials).toString("base64")}`;
  const requests: TestRegistry["requests"] = [];
  let underWay = 0;
  let most = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const { authorization } = request.headers;
    requests.push({ path, authorization });
    if (authorization !== expected) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1];
    const isManifest = path.includes("/manifests/");
    const bytes = isManifest ? manifest : digest ? blobs.get(digest) : Buffer.from("{}");
    if (!bytes) {
      response.writeHead(404).end();
      return;
    }
    const answer = () => {
      if (isManifest) underWay--;
      response.writeHead(200, {
        "content-type": isManifest ? manifestType : "application/octet-stream",
        "content-length": bytes.length,
        ...(isManifest && { "docker-content-digest": sha256(manifest) }),
      });
      response.end(request.method === "HEAD" ? undefined : bytes);
    };
    if (isManifest) most = Math.max(most, ++underWay);
    // Long enough for all that will come at once to be there.
    setTimeout(answer, isManifest ? 100 : 0);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    digest: sha256(manifest),
    requests,
    mostAtOnce: () => most,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
