import { expect, test } from "vitest";
import { decideEngine, type EngineFacts } from "../../../scripts/start/engine-decision.ts";

const bare: EngineFacts = {
  socketPath: "/run/e.sock",
  socket: "silent",
  isNamed: false,
  daemonPid: undefined,
  isInstalled: false,
  hasApt: true,
  hasSystemd: false,
  access: "root",
};

const actions: [string, Partial<EngineFacts>, string][] = [
  ["an engine that answers is used as it is", { socket: "answers", isNamed: true, access: "none" }, "use"],
  ["an engine for root only is reached through sudo", { socket: "denied", access: "sudo" }, "relay"],
  ["a daemon that is coming up is waited for", { daemonPid: 7, isInstalled: true }, "wait"],
  ["a bare machine with apt gets docker.io", {}, "install"],
  ["also through sudo", { access: "sudo" }, "install"],
  ["an installed daemon is started", { isInstalled: true }, "start"],
  ["by systemd where that runs the machine", { isInstalled: true, hasSystemd: true }, "startService"],
];
test.each(actions)("%s", (_promise, facts, action) => {
  expect(decideEngine({ ...bare, ...facts })).toEqual({ action });
});

const sentences: [string, Partial<EngineFacts>, RegExp][] = [
  ["an engine that DOCKER_HOST names is never replaced", { isNamed: true }, /which DOCKER_HOST names/],
  ["without root, what to install is said", { access: "none" }, /sudo apt-get install docker\.io/],
  [
    "without root, how to start it is said",
    { access: "none", isInstalled: true },
    /start it \(sudo dockerd\)/,
  ],
  ["without apt, the system's package manager is named", { hasApt: false }, /this system's package manager/],
  ["a user who may not dial is told which group", { socket: "denied", access: "none" }, /group docker/],
];
test.each(sentences)("%s", (_promise, facts, sentence) => {
  const decision = decideEngine({ ...bare, ...facts });
  expect(decision).toEqual({ action: "stop", sentence: expect.stringMatching(sentence) });
  expect(decision.action === "stop" && decision.sentence.endsWith(".")).toBe(true);
});
