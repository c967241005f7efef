import { AuditVerdict } from "#contract/audit";

/** Twenty thousand rows are looked at per call. */
const callsMax = 10_000;

/** Goes on with a verification until it has seen the end of the audit, or something that is wrong. */
export async function verifyOn(first: unknown, call: (body: object) => Promise<unknown>): Promise<unknown> {
  let verdict = AuditVerdict.parse(first);
  for (let calls = 1; verdict.isIntact && !verdict.isComplete && calls < callsMax; calls++) {
    const next = AuditVerdict.parse(await call({ after: verdict.through }));
    verdict = { ...next, checked: verdict.checked + next.checked };
  }
  return verdict;
}

/** What is wrong, in a sentence, so that a script sees it by the exit code. */
export function faultIn(answer: unknown): string | undefined {
  const { finding, isComplete } = AuditVerdict.parse(answer);
  if (finding) return `The audit is not what was sealed: row ${finding.sequence} (${finding.kind}).`;
  return isComplete ? undefined : "The audit is longer than one verification: go on after what is printed.";
}
