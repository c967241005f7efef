import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testAudit } from "#test/support/audit";
import { type ChainPoint, chainHash, chainStart, headMac } from "#worker/audit/chain";
import { chainPage, writeSeals } from "#worker/audit/chain-store";
import { unsealedMaxMs, verifyAudit } from "#worker/audit/verify";
import { derivedKey } from "#worker/crypto";

type Audit = Awaited<ReturnType<typeof testAudit>>;
let a: Audit;
beforeEach(async () => {
  a = await testAudit();
  await a.write(10);
});
afterEach(() => a.close());

const found = async () => (await a.verify()).finding;

test("an audit that nobody touched is intact, sealed or just written", async () => {
  expect(await a.verify()).toMatchObject({ isIntact: true, isComplete: true, checked: 10 });
  expect(await a.seal()).toBe(10);
  await a.write(3);
  expect(await a.verify()).toMatchObject({ isIntact: true, isComplete: true, checked: 13 });
  expect(await a.seal()).toBe(3);
  expect(await a.seal()).toBe(0);
  expect((await a.rows()).every(({ hash }) => /^[0-9a-f]{64}$/.test(String(hash)))).toBe(true);
});

test("a seal is the documented hash, so that anybody can work it out", async () => {
  await a.seal();
  const [first, second] = await a.rows();
  const hash = await chainHash(chainStart.hash, {
    sequence: 1,
    tenantId: null,
    atMs: a.clock.nowMs,
    actor: "system",
    action: "thing.made",
    subject: `thing-${a.clock.nowMs}-0`,
    details: '{"n":0}',
    requestId: null,
  });
  expect(first?.hash).toBe(hash);
  expect(second?.hash).not.toBe(hash);
});

describe("once it is sealed, it shows when somebody with the database", () => {
  beforeEach(async () => {
    await a.seal();
  });

  test.each([
    ["removes the first row", "DELETE FROM audit WHERE sequence = 1", 1, "removed"],
    ["removes one in the middle", "DELETE FROM audit WHERE sequence = 5", 5, "removed"],
    ["removes the last", "DELETE FROM audit WHERE sequence = 10", 10, "removed"],
    ["removes all", "DELETE FROM audit", 1, "removed"],
    ["changes a time", "UPDATE audit SET at_ms = at_ms + 1 WHERE sequence = 4", 4, "changed"],
    ["changes a tenant", "UPDATE audit SET tenant_id = 'x' WHERE sequence = 4", 4, "changed"],
    ["changes an actor", "UPDATE audit SET actor = 'x' WHERE sequence = 4", 4, "changed"],
    ["changes an action", "UPDATE audit SET action = 'x' WHERE sequence = 4", 4, "changed"],
    ["changes a subject", "UPDATE audit SET subject = 'x' WHERE sequence = 4", 4, "changed"],
    ["changes a space in details", `UPDATE audit SET details = '{"n": 3}' WHERE sequence = 4`, 4, "changed"],
    ["changes a request", "UPDATE audit SET request_id = 'x' WHERE sequence = 4", 4, "changed"],
    ["takes a seal off", "UPDATE audit SET hash = NULL WHERE sequence = 4", 4, "changed"],
    ["puts one before the first", row(0), 0, "inserted"],
  ])("%s", async (_what, sql, sequence, kind) => {
    await a.tamper(sql);
    expect(await found()).toEqual({ sequence, kind });
  });

  test("removes the last and the count of them", async () => {
    await a.tamper("DELETE FROM audit WHERE sequence = 10", "UPDATE sqlite_sequence SET seq = 9");
    expect(await found()).toEqual({ sequence: 10, kind: "removed" });
  });

  test("swaps two", async () => {
    await a.tamper(
      "UPDATE audit SET sequence = 99 WHERE sequence = 3",
      "UPDATE audit SET sequence = 3 WHERE sequence = 7",
      "UPDATE audit SET sequence = 7 WHERE sequence = 99",
    );
    expect(await found()).toEqual({ sequence: 3, kind: "changed" });
  });

  test("moves all rows up to put one in between", async () => {
    await a.tamper(
      "UPDATE audit SET sequence = -sequence - 1 WHERE sequence >= 5",
      "UPDATE audit SET sequence = -sequence WHERE sequence < 0",
      row(5),
    );
    expect(await found()).toEqual({ sequence: 5, kind: "changed" });
  });

  test("adds a sealed one at the end", async () => {
    await a.tamper(row(11), "UPDATE audit SET hash = 'x' WHERE sequence = 11");
    expect(await found()).toEqual({ sequence: 11, kind: "inserted" });
  });

  test("changes one and all hashes after it, without the secret", async () => {
    await a.tamper("UPDATE audit SET actor = 'x' WHERE sequence = 4", ...(await rehashed(4)));
    expect(await found()).toEqual({ sequence: 10, kind: "changed" });
  });

  test("does so and the head's hash too", async () => {
    await a.tamper("UPDATE audit SET actor = 'x' WHERE sequence = 4", ...(await rehashed(4)));
    await a.tamper("UPDATE audit_heads SET hash = (SELECT hash FROM audit WHERE sequence = 10)");
    expect((await found())?.kind).toBe("head_forged");
  });

  test("removes the head, or all seals with it", async () => {
    await a.tamper("DELETE FROM audit_heads");
    expect((await found())?.kind).toBe("head_forged");
    await a.tamper("UPDATE audit SET hash = NULL");
    a.clock.nowMs += unsealedMaxMs + 1;
    expect(await found()).toEqual({ sequence: 1, kind: "unsealed" });
  });

  test("puts everything back as it was before, to whoever has noted a later place", async () => {
    const before = (await a.database.client.execute("SELECT * FROM audit_heads")).rows[0];
    await a.write(1);
    await a.seal();
    const { through } = await a.verify();
    await a.tamper(
      "DELETE FROM audit WHERE sequence = 11",
      "UPDATE sqlite_sequence SET seq = 10",
      `UPDATE audit_heads SET sequence = 10, hash = '${before?.hash}', mac = '${before?.mac}'`,
    );
    expect((await a.verify()).isIntact).toBe(true);
    expect((await a.verify(through)).finding).toEqual({ sequence: 11, kind: "removed" });
  });

  test("has another secret", async () => {
    const stranger = { ...a.deps, auditKey: derivedKey("another secret", "sandgate audit v1") };
    expect((await verifyAudit(stranger)).finding?.kind).toBe("head_forged");
  });
});

test("a row that is removed before it is sealed shows, in the middle and at the end", async () => {
  await a.tamper("DELETE FROM audit WHERE sequence = 10");
  expect(await found()).toEqual({ sequence: 10, kind: "removed" });
  await a.seal();
  expect(await found()).toEqual({ sequence: 10, kind: "removed" });
  await a.write(1);
  await a.seal();
  expect(await found()).toEqual({ sequence: 10, kind: "removed" });
});

test("nothing is sealed over a chain that is not ours", async () => {
  await a.seal();
  await a.tamper("UPDATE audit_heads SET mac = 'x'");
  await a.write(1);
  expect(await a.seal()).toBe(0);
  expect(a.events.at(-1)).toMatchObject({ level: "error", event: "audit_broken" });
});

test("rows may wait for their seal for two minutes and no longer", async () => {
  a.clock.nowMs += unsealedMaxMs;
  expect(await found()).toBeUndefined();
  a.clock.nowMs += 1;
  expect(await found()).toEqual({ sequence: 1, kind: "unsealed" });
});

test("rows without a seal have no place to go on from, so they are looked at in one go", async () => {
  await a.seal();
  await a.database.client.execute(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20500)
    INSERT INTO audit (at_ms, actor, action, subject, details) SELECT ${a.clock.nowMs}, 'a', 'b.c', i, '{}' FROM n`);
  const verdict = await a.verify();
  expect(verdict).toMatchObject({ isIntact: true, isComplete: true, checked: 20_510 });
  expect(verdict.through.sequence).toBe(10);
  expect((await a.verify(verdict.through)).isIntact).toBe(true);
});

test("a long chain is verified in parts, each begun where the last one ended", async () => {
  await a.database.client.execute(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20500)
    INSERT INTO audit (at_ms, actor, action, subject, details) SELECT ${a.clock.nowMs}, 'a', 'b.c', i, '{}' FROM n`);
  while ((await a.seal()) > 0);
  const first = await a.verify();
  expect(first).toMatchObject({ isIntact: true, isComplete: false, checked: 20_000 });
  const second = await a.verify(first.through);
  expect(second).toMatchObject({ isIntact: true, isComplete: true, checked: 510 });
  expect((await a.verify({ ...first.through, hash: "0".repeat(64) })).finding).toEqual({
    sequence: 20_000,
    kind: "changed",
  });
});

describe("two sealers at once", () => {
  test.each(["their first", "a later one"])("leave %s stretch to the faster one", async (which) => {
    if (which === "a later one") await a.seal();
    await a.write(2);
    const { head, rows } = await chainPage(a.db, 500);
    let at = head?.sealed ?? chainStart;
    const seals: ChainPoint[] = [];
    for (const each of rows) {
      at = { sequence: each.sequence, hash: await chainHash(at.hash, each) };
      seals.push(at);
    }
    const slower = { sealed: at, pruned: chainStart };
    const mac = await headMac(a.auditKey, slower);
    await a.write(2);
    await a.seal();
    expect(await writeSeals(a.db, head, { ...slower, mac }, seals)).toBe(false);
    expect(await a.verify()).toMatchObject({ isIntact: true, isComplete: true, checked: 14 });
  });

  test("make one chain", async () => {
    for (let round = 0; round < 20; round++) {
      await a.write(3);
      await Promise.all([a.seal(), a.write(2), a.seal(), a.seal()]);
    }
    await a.seal();
    expect(await a.verify()).toMatchObject({ isIntact: true, isComplete: true, checked: 110 });
  });
});

test("a sealer that dies between reading and writing leaves what the next one needs", async () => {
  a.database.beAwayFor(1, /UPDATE audit SET hash/);
  await expect(a.seal()).rejects.toMatchObject({ code: "unavailable" });
  expect(await found()).toBeUndefined();
  expect(await a.seal()).toBe(10);
  expect(await a.verify()).toMatchObject({ isIntact: true, checked: 10 });
});

describe("pruning", () => {
  const dayMs = 86_400_000;
  beforeEach(async () => {
    await a.seal();
    a.clock.nowMs += 399 * dayMs;
    await a.write(5);
    await a.seal();
  });

  test("forgets what is past the retention, and is no alarm", async () => {
    expect(await a.prune()).toBe(0);
    const early = { sequence: 3, hash: String((await a.rows())[2]?.hash) };
    a.clock.nowMs += dayMs + 1;
    expect(await a.prune()).toBe(10);
    expect(await a.verify()).toMatchObject({ isIntact: true, isComplete: true, checked: 5 });
    expect(await a.verify(early)).toMatchObject({ isIntact: true, checked: 5 });
    expect(await a.prune()).toBe(0);
    await a.tamper("DELETE FROM audit WHERE sequence = 11");
    expect(await found()).toEqual({ sequence: 11, kind: "removed" });
  });

  test("keeps rows that are not what was sealed", async () => {
    await a.tamper("UPDATE audit SET actor = 'x' WHERE sequence = 4");
    a.clock.nowMs += dayMs + 1;
    expect(await a.prune()).toBe(0);
    expect(a.events.at(-1)).toMatchObject({ level: "error", event: "audit_broken" });
    expect(await found()).toEqual({ sequence: 4, kind: "changed" });
  });

  test("of more than was pruned shows", async () => {
    a.clock.nowMs += dayMs + 1;
    await a.prune();
    const { rows } = await a.database.client.execute("SELECT hash FROM audit WHERE sequence = 12");
    await a.tamper(
      "DELETE FROM audit WHERE sequence <= 12",
      `UPDATE audit_heads SET pruned_sequence = 12, pruned_hash = '${rows[0]?.hash}'`,
    );
    expect((await found())?.kind).toBe("head_forged");
  });
});

test("no statement of ours changes a row of the audit, or removes one that was not pruned", async () => {
  const run = (sql: string) => a.database.client.execute(sql);
  await a.seal();
  await expect(run("UPDATE audit SET actor = 'x' WHERE sequence = 2")).rejects.toThrow("does not change");
  await expect(run("UPDATE audit SET hash = NULL WHERE sequence = 2")).rejects.toThrow("does not change");
  await expect(run("DELETE FROM audit WHERE sequence = 10")).rejects.toThrow("is kept");
});

function row(sequence: number): string {
  return `INSERT INTO audit (sequence, at_ms, actor, action, subject, details)
    VALUES (${sequence}, ${a?.clock.nowMs ?? 0}, 'x', 'thing.made', 'x', '{}')`;
}

/** What somebody without the secret would do to hide a changed actor of a row. */
async function rehashed(from: number): Promise<string[]> {
  const rows = await a.rows();
  let hash = String(rows[from - 2]?.hash);
  const statements: string[] = [];
  for (const each of rows.slice(from - 1)) {
    const sequence = Number(each.sequence);
    hash = await chainHash(hash, {
      sequence,
      tenantId: null,
      atMs: Number(each.at_ms),
      actor: sequence === from ? "x" : String(each.actor),
      action: String(each.action),
      subject: String(each.subject),
      details: String(each.details),
      requestId: null,
    });
    statements.push(`UPDATE audit SET hash = '${hash}' WHERE sequence = ${sequence}`);
  }
  return statements;
}
