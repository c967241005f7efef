import { expect, test } from "vitest";
import { resolveSettings } from "#contract/settings";
import { prepareMachine } from "../../../scripts/start/steps.ts";

const templatesOf = (value: string) =>
  resolveSettings({ SANDGATE_TEMPLATES: value }).values.SANDGATE_TEMPLATES;

test("the templates of a machine are named once each, and `base` is always one of them", () => {
  expect(templatesOf("")).toEqual(["base"]);
  expect(templatesOf("web,base,web,data-2")).toEqual(["base", "web", "data-2"]);
});

test.each(["web,", ",", "Web", "../web", "web data", "web,,data"])("%j is no list of templates", (value) => {
  expect(() => templatesOf(value)).toThrow("names of templates, with commas between");
});

test("a template that is none is said to be none before anything is done to the machine", async () => {
  const settings = { DOCKER_HOST: "", SANDGATE_RUN_DIR: "/nowhere", SANDGATE_TEMPLATES: ["base", "nothing"] };
  const prepared = prepareMachine({ dataDir: "/nowhere", settings, report: () => undefined });
  await expect(prepared).rejects.toThrow("There is no template named nothing; there are: base");
});
