import type { TenantId } from "#contract/ids";
import type { Clock, RequestCtx } from "../context.ts";
import { AppError } from "../errors.ts";
import { Buckets, type Grant, type Wanted, type Wish } from "./buckets.ts";
import { bucketsOf, type Draw, exactly, type RateLimiter, type Verdict, verdictOf } from "./limiter.ts";
import { isLow, nextSize, type Slice, sliceMax, usable } from "./slice.ts";

/** The one object that owns the buckets of a tenant. */
export type LimiterObject = { take(wanted: Wanted[], wish: Wish): Promise<Grant> };
type Deps = { objectOf: (tenantId: TenantId) => LimiterObject; now: Clock };
type Ctx = Pick<RequestCtx, "background">;
/** One request at one time. */
type Turn = Ctx & { draw: Draw; wanted: Wanted[]; max: number; known: Known; nowMs: number };

/** The object refused this much, would give it by then, and need not be asked before `askAgainAtMs`. */
type Refusal = { cost: number; retryAtMs: number; askAgainAtMs: number; grant: Grant };
/** What the isolate knows of the buckets that a request draws from. */
type Known = {
  slice?: Slice;
  /** What the object had left when it last answered. */
  left: number;
  fillingSinceMs?: number;
  refused?: Refusal;
};

const answerMs = 1_000;
/** An object that did not answer is not waited for again for this long. */
const silenceMs = 5_000;
/** A refusal is believed no longer: a plan may be changed meanwhile. */
const refusalMs = 1_000;
const knownMax = 10_000;

/**
 * The buckets of each tenant are in an object of its own. Data is paid for from a slice that this isolate holds, filled up
 * in the background; the object is asked for each of the others. While it does not answer, nothing is made, and the rest goes on
 * by buckets of the size of a slice in each isolate.
 */
export function edgeLimiter(deps: Deps): RateLimiter {
  return new EdgeLimiter(deps);
}

class EdgeLimiter implements RateLimiter {
  readonly #deps: Deps;
  readonly #known = new Map<string, Known>();
  readonly #meanwhile = new Buckets(knownMax);
  readonly #silentUntilMs = new Map<TenantId, number>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  take({ background }: Ctx, draw: Draw): Verdict | Promise<Verdict> {
    const wanted = bucketsOf(draw);
    const max = sliceMax(wanted.map(({ rate }) => rate));
    const turn = { background, draw, wanted, max, known: this.#knownOf(wanted), nowMs: this.#deps.now() };
    const held = draw.rateClass === "data" ? this.#spend(turn) : undefined;
    return held ?? refusedStill(turn) ?? this.#ask(turn);
  }

  #spend(turn: Turn): Verdict | undefined {
    const { draw, wanted, max, known, nowMs } = turn;
    const { slice } = known;
    if (!slice || usable(slice, max, nowMs) < draw.cost) return undefined;
    slice.tokens -= draw.cost;
    slice.spent += draw.cost;
    if (isLow(slice, nowMs) && !isFilling(turn) && !this.#isSilent(draw.tenantId, nowMs))
      turn.background("fillSlice", this.#fillUp(turn, slice));
    const remaining = known.left + slice.tokens;
    return verdictOf(draw, wanted, { isAllowed: true, tightest: 0, remaining, retryAfterMs: 0 });
  }

  async #fillUp({ draw, wanted, max, known, nowMs }: Turn, slice: Slice): Promise<void> {
    known.fillingSinceMs = nowMs;
    const most = Math.max(0, nextSize(slice, max, nowMs) - slice.tokens);
    const grant = await this.#grantOf(draw.tenantId, wanted, { least: 0, most, paid: 0, returned: 0 });
    if (grant) fill(known, grant, this.#deps.now());
    delete known.fillingSinceMs;
  }

  async #ask(turn: Turn): Promise<Verdict> {
    const { draw, wanted, known, nowMs } = turn;
    if (this.#isSilent(draw.tenantId, nowMs)) return this.#withoutObject(turn);
    const grant = await this.#grantOf(draw.tenantId, wanted, this.#wishOf(turn));
    if (!grant) return this.#withoutObject(turn);
    const answeredAtMs = this.#deps.now();
    if (!grant.isAllowed) known.refused = refusalOf(draw, grant, answeredAtMs);
    if (!grant.isAllowed || draw.rateClass !== "data") return verdictOf(draw, wanted, grant);
    const rest = { ...grant, tokens: grant.tokens - draw.cost };
    fill(known, rest, answeredAtMs);
    return verdictOf(draw, wanted, { ...grant, remaining: grant.remaining + rest.tokens });
  }

  /** For data a slice, one at a time however many ask at once; for the others what they cost. */
  #wishOf(turn: Turn): Wish {
    const { draw, known, max, nowMs } = turn;
    if (draw.rateClass !== "data" || isFilling(turn)) return exactly(draw);
    known.fillingSinceMs = nowMs;
    const most = Math.max(draw.cost, nextSize(known.slice, max, nowMs));
    const returned = known.slice?.tokens ?? 0;
    // What is given back must not be spent by another request meanwhile.
    if (known.slice) known.slice.tokens = 0;
    return { ...exactly(draw), most, returned };
  }

  /** `undefined` where there is no answer in time; nobody waits for that object again soon. */
  async #grantOf(tenantId: TenantId, wanted: Wanted[], wish: Wish): Promise<Grant | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), answerMs);
    });
    try {
      const grant = await Promise.race([this.#deps.objectOf(tenantId).take(wanted, wish), late]);
      if (grant) return grant;
    } catch {
      // An object that is being moved or that failed is one that does not answer.
    } finally {
      clearTimeout(timer);
    }
    if (this.#silentUntilMs.size >= knownMax) this.#silentUntilMs.clear();
    this.#silentUntilMs.set(tenantId, this.#deps.now() + silenceMs);
    return undefined;
  }

  #isSilent(tenantId: TenantId, nowMs: number): boolean {
    const untilMs = this.#silentUntilMs.get(tenantId);
    if (untilMs === undefined) return false;
    const isSilent = nowMs < untilMs && untilMs - nowMs <= silenceMs;
    if (!isSilent) this.#silentUntilMs.delete(tenantId);
    return isSilent;
  }

  #withoutObject({ draw, wanted, max }: Turn): Verdict {
    if (draw.rateClass === "create")
      throw new AppError(
        "unavailable",
        "The rate limiter does not answer. Send this again in a few seconds.",
      );
    const slices = wanted.map(({ name }) => ({ name, rate: { capacity: max, perSecond: max } }));
    const grant = this.#meanwhile.take(slices, exactly(draw), this.#deps.now());
    return verdictOf(draw, wanted, grant);
  }

  #knownOf(wanted: readonly Wanted[]): Known {
    const name = wanted.length === 1 ? (wanted[0]?.name ?? "") : wanted.map((each) => each.name).join(" ");
    const known = this.#known.get(name);
    if (known) return known;
    const [oldest] = this.#known.keys();
    if (this.#known.size >= knownMax && oldest !== undefined) this.#known.delete(oldest);
    const fresh: Known = { left: 0 };
    this.#known.set(name, fresh);
    return fresh;
  }
}

/** A request that was cut off fills nothing up any more. */
function isFilling({ known: { fillingSinceMs }, nowMs }: Turn): boolean {
  return fillingSinceMs !== undefined && Math.abs(nowMs - fillingSinceMs) < answerMs;
}

function fill(known: Known, grant: Grant, nowMs: number): void {
  const tokens = (known.slice?.tokens ?? 0) + grant.tokens;
  known.slice = { tokens, size: tokens, filledAtMs: nowMs, spent: 0 };
  known.left = grant.remaining;
  delete known.refused;
  delete known.fillingSinceMs;
}

function refusalOf({ cost }: Draw, grant: Grant, nowMs: number): Refusal {
  const askAgainAtMs = nowMs + Math.min(refusalMs, grant.retryAfterMs);
  return { cost, retryAtMs: nowMs + grant.retryAfterMs, askAgainAtMs, grant };
}

/** The object said when; until then it would say the same. */
function refusedStill({ draw, wanted, known: { refused }, nowMs }: Turn): Verdict | undefined {
  const isKnown = refused && nowMs < refused.askAgainAtMs && refused.askAgainAtMs - nowMs <= refusalMs;
  if (!isKnown || draw.paid > 0 || draw.cost < refused.cost) return undefined;
  return verdictOf(draw, wanted, { ...refused.grant, retryAfterMs: refused.retryAtMs - nowMs });
}
