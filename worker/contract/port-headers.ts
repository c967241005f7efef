import { trafficTokenHeaders } from "./ports.ts";
import { tokenPattern } from "./token.ts";

/**
 * Which headers pass between a client and a server inside a sandbox. `shared`: the bytes are served on an origin that
 * is not this sandbox's alone, such as the API's. `own`: on a host name that nobody else's bytes are ever served on.
 */
export type PortOrigin = "shared" | "own";
type Header = readonly [name: string, value: string];

/** About one connection, which never is the one on our other side. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** Written anew by who sends the request on, or nobody's business inside of a sandbox. */
const ofTheRequest = new Set<string>([
  "host",
  "content-length",
  "expect",
  "forwarded",
  "via",
  "x-real-ip",
  "true-client-ip",
  "cdn-loop",
  "x-request-id",
  "e2b-sandbox-id",
  "e2b-sandbox-port",
  ...trafficTokenHeaders,
]);
const ofTheRequestPrefixes = ["x-sandgate-", "x-forwarded-", "cf-", "sec-websocket-"];
const credentials = new Set(["authorization", "x-api-key", "cookie"]);
const ours = new RegExp(`e2b_[0-9a-f]{40}|${tokenPattern.source}`, "i");

/**
 * What of a client's headers goes to the server. Credentials stay here on a shared origin, since they are ours; on its
 * own host name a server has its own, and only what holds an API key or a sandbox's token stays.
 */
export function headersToPort(headers: Iterable<Header>, origin: PortOrigin): Header[] {
  return passing(headers).filter(([name, value]) => {
    if (ofTheRequest.has(name) || ofTheRequestPrefixes.some((prefix) => name.startsWith(prefix)))
      return false;
    if (!credentials.has(name)) return true;
    return origin === "own" && !ours.test(value);
  });
}

/** Would act on everything else that the origin serves. */
const actsOnOrigin = new Set([
  "set-cookie",
  "set-cookie2",
  "clear-site-data",
  "strict-transport-security",
  "public-key-pins",
  "alt-svc",
  "service-worker-allowed",
  "content-security-policy",
  "content-security-policy-report-only",
  "www-authenticate",
  "authentication-info",
  "refresh",
  "report-to",
  "reporting-endpoints",
  "nel",
  "origin-agent-cluster",
  "x-frame-options",
  "location",
]);

/**
 * What of a server's headers goes to the client. On a shared origin nothing that would act on the origin passes, and
 * the document is shut into an origin of its own; on its own host name a cookie stays on that name.
 * @param rebase where a redirect on a shared origin leads in the client's eyes; null = it is left out
 */
export function headersFromPort(
  headers: Iterable<Header>,
  origin: PortOrigin,
  rebase: (location: string) => string | null,
): Header[] {
  const sent = passing(headers).filter(
    ([name]) => !name.startsWith("x-sandgate-") && name !== "x-request-id",
  );
  if (origin === "own")
    return sent.map(([name, value]) => [name, name === "set-cookie" ? hostOnly(value) : value]);
  const passed = sent.filter(
    ([name]) =>
      !actsOnOrigin.has(name) && !name.startsWith("access-control-") && name !== "x-content-type-options",
  );
  const location = sent.find(([name]) => name === "location")?.[1];
  const rebased = location === undefined ? null : rebase(location);
  return [
    ...passed,
    ...(rebased === null ? [] : [["location", rebased] as const]),
    ["content-security-policy", "sandbox"],
    ["x-content-type-options", "nosniff"],
  ];
}

/** A cookie for the parent domain would reach the host names of other sandboxes. */
const hostOnly = (cookie: string) => cookie.replace(/;\s*domain\s*(=[^;]*)?(?=;|$)/gi, "");

function passing(headers: Iterable<Header>): Header[] {
  const all = [...headers].map(([name, value]) => [name.toLowerCase(), value] as const);
  const named = all.filter(([name]) => name === "connection").flatMap(([, value]) => value.split(","));
  const dropped = new Set([...hopByHop, ...named.map((name) => name.trim().toLowerCase())]);
  return all.filter(([name]) => !dropped.has(name));
}

/**
 * Where a redirect of a server on a shared origin leads. What it calls its own place is below `prefix`; another site
 * stays another site. A redirect to another path of the shared origin would carry the client's key there, with the
 * method and body of its request: there is none.
 * @param at.url of the request, as the client has sent it
 * @param at.target path and query as the server has seen them
 */
export function rebaseLocation(
  location: string,
  at: { url: string; prefix: string; target: string; port: number },
): string | null {
  const own = `http://localhost:${at.port}`;
  const ours = new URL(at.url);
  let to: URL;
  try {
    to = new URL(location, new URL(at.target, own));
  } catch {
    return null;
  }
  if (to.protocol !== "http:" && to.protocol !== "https:") return null;
  const names = [`localhost:${at.port}`, `127.0.0.1:${at.port}`, `[::1]:${at.port}`, `0.0.0.0:${at.port}`];
  if (!names.includes(to.host) && to.host !== ours.host) return to.username || to.password ? null : to.href;
  const path = to.host === ours.host ? withoutPrefix(to.pathname, at.prefix) : to.pathname;
  return `${at.prefix}${path}${to.search}${to.hash}`;
}

/** A server that was told its prefix has written it already. */
function withoutPrefix(path: string, prefix: string): string {
  return path === prefix || path.startsWith(`${prefix}/`) ? path.slice(prefix.length) || "/" : path;
}
