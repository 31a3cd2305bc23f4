/** docs/fixes.md from the outcomes. */
import type { Machine } from "../../machine.ts";
import type { FixOutcome, Stops } from "./outcome.ts";

export interface FixResults {
  readonly fixes: readonly FixOutcome[];
  /** Ids of those that no run has tried yet. */
  readonly untried?: readonly string[];
  readonly machine: Machine;
}

export function page({ fixes, untried = [], machine }: FixResults): string {
  const worked = fixes.filter(({ failed, refused }) => failed === undefined && refused === undefined);
  const packages = new Set(worked.map((fix) => fix.package));
  return `# Published fixes, loaded into running programs

Made by \`make bench-fixes\` from bench/results/process-fixes.json (${machine.processors} processors, ${machine.processor}).

${worked.length} of ${fixes.length + untried.length} fixes, in programs and libraries of ${packages.size} source packages of Debian 12. Each is the diff that Debian publishes
(debian/patches of the source package; what differs in the files concerned between two of its versions, for glibc; a cut
of what upstream changed, for zlib and PostgreSQL, where Debian has no patch), made into a livepatch, loaded into the running program under its load
generator, disabled and unloaded again. A probe from outside looks at the program before it, with it and after it.
**stock**: the binary is Debian's, of the version named, which does not have the fix. **built**: no stock binary without
the fix is in the archive; the program is built from Debian's source of that version with this one fix left out.

| fix | in | what was wrong | without it | with it |
|---|---|---|---|---|
${fixes.map(whatRow).join("\n")}

After the unload every probe saw again what it had seen before the load. How it went:

| fix | functions patched | from diff to livepatch | processes, threads | stood still, load | stood still, disable | load generator | answers | errors |
|---|---|---|---|---|---|---|---|---|
${worked.map(costRow).join("\n")}
${failures(fixes, untried)}
${audited(fixes)}${busy(fixes)}Stood still: for how long all threads of a process stood still, the longest where there are several processes or tries;
\`+ n × t\` are threads that were stopped by themselves, and the median of them.
`;
}

function audited(fixes: readonly FixOutcome[]): string {
  const all = fixes.flatMap(({ id, audit }) => (audit === undefined ? [] : [{ id, audit }]));
  if (all.length === 0) return "";
  const found = all.filter(({ audit }) => audit.length > 0).map(({ id }) => id);
  const what = found.length === 0 ? "nothing that is unaccounted for" : `something in ${found.join(", ")}`;
  return `\`suture audit\` was asked of ${all.length} of these livepatches, and found ${what}.\n\n`;
}

/** Times say more of what else the machine did, where it did much else. */
function busy(fixes: readonly FixOutcome[]): string {
  const loads = fixes.flatMap(({ loadAverage }) => loadAverage ?? []);
  if (loads.length === 0) return "";
  const [least, most] = [Math.min(...loads), Math.max(...loads)];
  return `The machine's load average was ${least} to ${most}, load generators included: on a busy machine, threads that are stopped and started wait for a processor.\n`;
}

function whatRow(fix: FixOutcome): string {
  const { id, version, before, what, seenBefore = "", seenPatched = "", failed, refused } = fix;
  const without = failed === undefined ? seenPatched : `**failed**: ${failed.stage}`;
  const seen = [seenBefore, refused === undefined ? without : `**refused**: ${refused.split(":")[0]}`];
  const where = `${fix.package} ${version}, ${before === "stock" ? "stock" : "built"}`;
  return cells([id, where, what, ...seen]);
}

function costRow(fix: FixOutcome): string {
  const { id, functions = [], buildSeconds = 0, load, disable, generator = "", requests = 0, errors = 0 } = fix;
  return cells([
    id,
    functions.join(", "),
    `${buildSeconds.toFixed(1)} s`,
    load === undefined ? "" : `${load.processes}, ${load.threads}`,
    stoodStill(load),
    stoodStill(disable),
    generator,
    requests.toLocaleString("en-US"),
    String(errors),
  ]);
}

function stoodStill(stops: Stops | undefined): string {
  if (stops === undefined) return "";
  const { stopsUs, singleUs } = stops;
  const all = stopsUs.length === 0 ? "none" : `${Math.max(...stopsUs).toLocaleString("en-US")} µs`;
  const median = singleUs.toSorted((a, b) => a - b)[singleUs.length >> 1];
  return median === undefined ? all : `${all} + ${singleUs.length} × ${median} µs`;
}

function failures(fixes: readonly FixOutcome[], untried: readonly string[]): string {
  const lines = fixes.flatMap(({ id, failed, refused }) => [
    ...(refused === undefined ? [] : [`- ${id} is refused. ${refused}`]),
    ...(failed === undefined ? [] : [`- ${id} failed, ${failed.stage}: ${failed.why}`]),
  ]);
  lines.push(...untried.map((id) => `- ${id} was not tried yet.`));
  return lines.length === 0 ? "" : `\nWhat does not work, and why:\n\n${lines.join("\n")}\n`;
}

function cells(texts: readonly string[]): string {
  return `| ${texts.map((text) => text.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
}
