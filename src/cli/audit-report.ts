import type { Audit } from "../audit/audit.ts";

/** The audit as text: what was found first, then each difference with its account. */
export function auditLines({ livepatch, units, accounted, findings }: Audit): string[] {
  const files = units.length === 1 ? "1 file" : `${units.length} files`;
  return [
    `${livepatch}: ${findings.length === 0 ? "every difference is accounted for" : `${findings.length} found`}`,
    `  ${accounted.length} differences in ${files}`,
    ...findings.flatMap(({ kind, source, what, section }) => [
      `  ${kind}: ${what}`,
      `    ${[source, section].filter((each) => each !== "").join(", ")}`,
    ]),
    ...accounted.map(({ of, name, kind, reason, why }) => `  ${of} ${name}: ${reason === "" ? kind : reason}: ${why}`),
  ];
}
