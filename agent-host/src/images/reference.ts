/** What the public registry is called in the files that hold credentials. */
const publicRegistry = "https://index.docker.io/v1/";

/** Which registry answers for an image, by the engine's own rule: a first part that could be a host name is one. */
export function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  return isHost ? first : publicRegistry;
}

/** The query of the engine's pull call: without a tag it would fetch every one there is. */
export function pullQuery(image: string): string {
  const isByDigest = image.includes("@");
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  if (isByDigest || tag !== undefined) return new URLSearchParams({ fromImage: image }).toString();
  return new URLSearchParams({ fromImage: image, tag: "latest" }).toString();
}
