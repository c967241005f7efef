import { portHeader } from "#contract/ports";
import { Process, ProcessList, SessionResult } from "#contract/process";
import type { Call, Place, Processes } from "../provider.ts";
import { accepted, dropped, parseAnswer, refusalOf } from "./answers.ts";
import { type HostRequest, json, type Send, sandboxPath } from "./call.ts";
import { eventsOf, run } from "./exec.ts";

/** Processes on a host. */
export function processCalls(send: Send): Processes {
  return {
    startProcess: (place, request, call) =>
      run(send, { ...asked(place, call, "POST"), body: json(request) }, (response) =>
        accepted(response, () => parseAnswer(response, Process)),
      ),

    listProcesses: (place, call) =>
      send(asked(place, call, "GET"), (response) =>
        accepted(response, () => parseAnswer(response, ProcessList)),
      ),

    getProcess: (place, name, call) =>
      send(asked(place, call, "GET", `/${name}`), (response) =>
        accepted(response, () => parseAnswer(response, Process)),
      ),

    killProcess: (place, name, call) =>
      send(asked(place, call, "DELETE", `/${name}`), (response) =>
        accepted(response, () => dropped(response)),
      ),

    followProcess: (place, name, after, call) =>
      send(asked(place, call, "GET", `/${name}/events?after=${after}`), (response) =>
        eventsOf(response, call),
      ),

    writeInput: (place, name, { bytes, isLast }, call) => {
      const body = { content: bytes, type: "application/octet-stream" };
      const request = asked(place, call, "POST", `/${name}/stdin${isLast ? "?close=true" : ""}`);
      return run(send, { ...request, body }, (response) => accepted(response, () => dropped(response)));
    },

    attachProcess: (place, name, { after, handshake, keyId, untilMs }, call) => {
      const request = asked(place, call, "GET", `/${name}/attach?after=${after}`);
      const headers = {
        ...handshake,
        [portHeader.keyId]: keyId,
        ...(untilMs !== null && { [portHeader.untilMs]: String(untilMs) }),
      };
      return send({ ...request, headers, isTunnel: true }, async (response) => {
        if (response.status === 101) return response;
        throw await refusalOf(response);
      });
    },

    createSession: (place, request, call) =>
      run(send, { ...sessionsOf(place, call), body: json(request) }, (response) =>
        accepted(response, () => parseAnswer(response, Process)),
      ),

    execInSession: (place, name, request, call) =>
      run(send, { ...sessionsOf(place, call, `/${name}/exec`), body: json(request) }, (response) =>
        accepted(response, () => parseAnswer(response, SessionResult)),
      ),

    resizeProcess: (place, name, size, call) =>
      send({ ...asked(place, call, "POST", `/${name}/resize`), body: json(size) }, (response) =>
        accepted(response, () => dropped(response)),
      ),

    signalProcess: (place, name, signal, call) =>
      run(send, { ...asked(place, call, "POST", `/${name}/signal`), body: json(signal) }, (response) =>
        accepted(response, () => dropped(response)),
      ),
  };
}

function asked(place: Place, call: Call, method: HostRequest["method"], rest = ""): HostRequest {
  return { place, call, method, pathAndQuery: sandboxPath(place, `/processes${rest}`), generation: "-" };
}

function sessionsOf(place: Place, call: Call, rest = ""): HostRequest {
  return {
    place,
    call,
    method: "POST",
    pathAndQuery: sandboxPath(place, `/sessions${rest}`),
    generation: "-",
  };
}
