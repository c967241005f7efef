import { attachProtocol } from "#contract/attach";
import { AppError } from "../errors.ts";

/** Browsers let a page set no header of a WebSocket but this one. An address is no place for a key: it ends in logs. */
const header = "sec-websocket-protocol";
const keyPrefix = "key.";

const protocolsOf = (headers: Headers) =>
  (headers.get(header) ?? "")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");

/** The same headers with the key that came as a subprotocol where other requests have theirs. Two are as none. */
export function withProtocolKey(headers: Headers): Headers {
  const keys = protocolsOf(headers).filter((each) => each.startsWith(keyPrefix));
  if (keys.length === 0) return headers;
  const moved = new Headers(headers);
  for (const key of keys) moved.append("x-api-key", key.slice(keyPrefix.length));
  return moved;
}

/** The same headers without keys among the subprotocols: what is offered besides is for who answers. */
export function withoutProtocolKeys(headers: Headers): Headers {
  const offered = protocolsOf(headers);
  const others = offered.filter((each) => !each.startsWith(keyPrefix));
  if (others.length === offered.length) return headers;
  const rest = new Headers(headers);
  rest.delete(header);
  if (others.length > 0) rest.set(header, others.join(", "));
  return rest;
}

/**
 * The same headers with our own subprotocol and no other: a key goes no further than to us.
 * @throws AppError `invalid_request` for a client that wants to speak something else
 */
export function withOwnProtocol(headers: Headers): Headers {
  const offered = protocolsOf(headers);
  const own = new Headers(headers);
  own.delete(header);
  if (offered.length === 0) return own;
  if (!offered.includes(attachProtocol))
    throw new AppError("invalid_request", `Offer the subprotocol ${attachProtocol}, or none.`);
  own.set(header, attachProtocol);
  return own;
}
