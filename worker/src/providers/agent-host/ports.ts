import { portHeader } from "#contract/ports";
import { AppError } from "../../errors.ts";
import type { Ports } from "../provider.ts";
import { refusalOf } from "./answers.ts";
import { type Send, sandboxPath } from "./call.ts";

/** Requests to servers in sandboxes: the host says which answers are theirs and which are its own. */
export function portCalls(send: Send): Ports {
  return {
    requestPort: async (place, request, call) => {
      const { port, method, target, keyId, untilMs, body, bodyBytes, handshake } = request;
      const prefix = sandboxPath(place, `/ports/${port}`);
      const pathAndQuery = `${prefix}${target}`;
      // What climbs out of its prefix would be another request to the host, signed by us.
      if (!new URL(pathAndQuery, place.url).pathname.startsWith(`${prefix}/`))
        throw new AppError("not_found", "There is nothing at this address.");
      const headers = {
        ...request.headers,
        ...handshake,
        ...(keyId && { [portHeader.keyId]: keyId }),
        ...(untilMs !== null && { [portHeader.untilMs]: String(untilMs) }),
        ...(bodyBytes !== null && { [portHeader.bodyLength]: String(bodyBytes) }),
      };
      return send(
        {
          place,
          call,
          method,
          pathAndQuery,
          generation: "-",
          headers,
          ...(body && { body: { content: body } }),
          ...(handshake && { isTunnel: true as const }),
        },
        async (response) => {
          if (response.headers.get(portHeader.answer) === String(port)) return response;
          throw await refusalOf(response);
        },
      );
    },
  };
}
