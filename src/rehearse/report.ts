import type { RehearsalResult, RehearsalStep, RehearsedObject } from "./result.ts";

/** The result as plain lines of text, for a reader. */
export function formatRehearsal(result: RehearsalResult): string[] {
  if (result.kind === "refused") {
    const { code, what, where, hint } = result.refusal;
    return [`${code}: ${what}`, `  at ${where}`, `  ${hint}`];
  }
  const lines = [`${result.livepatch} in Linux ${result.release}`];
  for (const boot of result.boots) {
    lines.push(`${boot.kind} (booted in ${boot.seconds.toFixed(1)} s)`);
    for (const step of result.steps) if (step.boot === boot.kind) lines.push(...stepLines(step));
  }
  if (result.lost !== undefined) lines.push(`lost at "${result.lost.step}" (${result.lost.boot}): ${result.lost.what}`);
  lines.push("objects", ...result.objects.map((object) => `  ${objectLine(object)}`));
  for (const finding of result.findings) {
    lines.push(`kernel log, ${finding.kind} (${finding.boot}, ${finding.step}): ${finding.line}`);
    lines.push(...telling(finding.context).map((line) => `    ${line}`));
  }
  if (result.findings.length === 0) lines.push("kernel log: nothing but the notices of patching");
  if (result.transitionSeconds !== undefined)
    lines.push(`transition: ${result.transitionSeconds.toFixed(3)} s at most`);
  if (!result.uptimeContinues) lines.push("the guest did not run through");
  lines.push(...result.boots.map(({ log }) => `log: ${log}`));
  lines.push(`${result.ok ? "ok" : "FAILED"} in ${result.seconds.toFixed(1)} s`);
  return lines;
}

function stepLines(step: RehearsalStep): string[] {
  const detail = step.detail === undefined ? "" : `: ${step.detail}`;
  const output = step.output === undefined || step.output === "" ? [] : step.output.split("\n");
  return [
    `  ${step.ok ? "ok" : "FAILED"}  ${step.name} (${step.seconds.toFixed(2)} s)${detail}`,
    ...output.map((line) => `        ${line}`),
  ];
}

function objectLine(object: RehearsedObject): string {
  if (!object.targetLoads)
    return `${object.name}: not tried, it does not load in the virtual machine: ${object.targetError}`;
  const seen = (patched: boolean | undefined): string =>
    patched === undefined ? "not seen" : patched ? "patched" : "NOT PATCHED";
  if (object.name === "vmlinux") return `vmlinux: ${seen(object.patchedBefore ?? object.patchedAfter)}`;
  return `${object.name}: loaded before the livepatch: ${seen(object.patchedBefore)}; after it: ${seen(object.patchedAfter)}`;
}

const TELLING_LINES = 10;

/** A function and an offset, or nowhere (`0x0`); of the instruction behind its register and a segment. */
const PLACE = /^(\w+: \d+:|\s*)([\w.]+\+0x[0-9a-f]+\/0x|0x0+$)/;

/** Where it happened: the instruction and the sure part of the call trace; registers are in the log. */
function telling(context: readonly string[]): string[] {
  const lines = context.filter((line) => PLACE.test(line)).map((line) => line.trim());
  return lines.length <= TELLING_LINES ? lines : [...lines.slice(0, TELLING_LINES), "..."];
}
