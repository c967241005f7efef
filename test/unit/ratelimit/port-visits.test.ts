import { expect, test } from "vitest";
import { HostCode, newSandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { fakeClock } from "#test/fakes/clock";
import { portVisits, type Visitor } from "#worker/ratelimit/port-visits";

const code = HostCode.parse("haaa");
function visiting() {
  const clock = fakeClock();
  const visits = portVisits({ now: clock.now });
  /** How many of so many visits are let in. */
  const passed = (count: number, visitor: Visitor, idOf: () => ReturnType<typeof newSandboxId>) => {
    let admitted = 0;
    for (let i = 0; i < count; i++) {
      try {
        visits.take(idOf(), visitor);
        admitted++;
      } catch (error) {
        expect(error).toMatchObject({ code: "rate_limited", facts: { class: "port" } });
      }
    }
    return admitted;
  };
  return { clock, passed };
}

test("a flood without the token takes nothing from those who have it, nor the other way round", () => {
  const { clock, passed } = visiting();
  const id = newSandboxId(code);
  const burst = limits.portVisitsBurst;
  expect(passed(burst + 500, "anyone", () => id)).toBe(burst);
  expect(passed(burst + 500, "holder", () => id)).toBe(burst);
  clock.advance(1_000);
  expect(passed(burst, "anyone", () => id)).toBe(limits.portVisitsPerSecond);
});

test("made-up names multiply nothing: those of one host have what is its own, and take nothing from other hosts", () => {
  const { passed } = visiting();
  const burst = limits.portHostVisitsBurst;
  expect(passed(burst + 5_000, "anyone", () => newSandboxId(code))).toBe(burst);
  const other = HostCode.parse("hbbb");
  expect(passed(10, "anyone", () => newSandboxId(other))).toBe(10);
  expect(passed(10, "holder", () => newSandboxId(code))).toBe(10);
});
