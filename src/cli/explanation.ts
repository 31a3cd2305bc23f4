import { SutureError } from "../lib/error.ts";
import type {
  FateRecord,
  FuncRecord,
  NeedRecord,
  ObjectRecord,
  PatchMetadata,
  ProofRecord,
  StayRecord,
} from "../patch/metadata.ts";
import type { ProgramMetadata, ProgramObjectRecord, StateRecord } from "../patch/program-metadata.ts";

/** A kernel's livepatch's metadata as text, one heading a question. */
export function explanation(patch: PatchMetadata): string[] {
  const { kernel } = patch;
  return [
    `${patch.name}, a livepatch for Linux ${kernel.release}`,
    `  vmlinux build-id ${kernel.buildId}`,
    `  vermagic ${kernel.vermagic.trim()}`,
    ...standing(patch),
    ...patch.objects.flatMap(objectLines),
    ...content(patch, "Needs from the running kernel", "by livepatch relocation"),
  ];
}

/** What became of each piece that differs: `explain --all`. */
export function fateLines({ fates }: Patch): string[] {
  const sources = [...new Set(fates.map(({ source }) => source))];
  return sources.flatMap((source) =>
    section(
      `What became of all that differs in ${source}`,
      fates.filter((each) => each.source === source).flatMap(fateLine),
    ),
  );
}

/** The diffs as they were given, one after the other. Throws `DIFF_NOT_KEPT`. */
export function diffLines({ diffs }: Patch, path: string): string[] {
  if (diffs === undefined)
    throw new SutureError("DIFF_NOT_KEPT", "the livepatch does not have the diff that it was built from", {
      where: path,
      hint: "it was built with --no-diff, from very large diffs, or by an older suture",
    });
  return diffs.flatMap((text) => text.replace(/\n$/, "").split("\n"));
}

function fateLine({ section: from, name, fate, by, why }: FateRecord): string[] {
  return [`  ${name} (${from}): ${fate.replace("-", " ")}${by === undefined ? "" : ` by ${by}`}, since ${why}`];
}

/** As `explanation`, of a program's livepatch. */
export function programExplanation(patch: ProgramMetadata): string[] {
  const { program } = patch;
  const version = program.version === undefined ? "" : ` ${program.version}`;
  const what = program.package === undefined ? "a program" : `the package ${program.package}${version}`;
  return [
    `${patch.name}, a livepatch for ${what}`,
    `  compiled by ${program.compiler}`,
    ...standing(patch),
    ...patch.objects.flatMap(programObjectLines),
    ...section("System states that it changes", patch.states.map(stateLine)),
    ...content(patch, "Needs from the process", "at a known address"),
  ];
}

type Patch = PatchMetadata | ProgramMetadata;

function standing(patch: Patch): string[] {
  const others = patch.replace ? "replaces all livepatches loaded before it" : "is stacked on those loaded before it";
  const numbered = patch.patchVersion === undefined ? [] : [`  version ${patch.patchVersion}`];
  return [...numbered, `  ${others}; made by ${patch.tool}`];
}

/** @param byLivepatch how a symbol is bound that is not exported */
function content(patch: Patch, needs: string, byLivepatch: string): string[] {
  return [
    ...section(
      "New functions, which only the livepatch has",
      patch.newFunctions.map((name) => `  ${name}`),
    ),
    ...section(
      needs,
      patch.needs.map((need) => needLine(need, byLivepatch)),
    ),
    ...section("Proved equal to the code that was shipped", patch.proofs.flatMap(proofLines)),
    ...section("When it is disabled its memory stays, since it hands out addresses", patch.stays.map(stayLine)),
    ...section(
      "Notes",
      patch.notes.map((note) => `  ${note.code}: ${note.text}`),
    ),
    ...section(
      "Left out, because no running code is touched by it",
      patch.leftOut.flatMap((each) => [`  ${each.code}: ${each.what}`, `    ${each.where}`, `    ${each.hint}`]),
    ),
  ];
}

function stayLine({ source, function: name, what, how }: StayRecord): string {
  return `  ${what} ${how} (${name}, ${source})`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}

function programObjectLines({ name, path, buildId, funcs, callbacks }: ProgramObjectRecord): string[] {
  return [
    ...section(`Functions patched in ${name} (${path}, build-id ${buildId})`, funcs.flatMap(funcLines)),
    ...section(
      `Callbacks of ${name}`,
      Object.keys(callbacks).map((kind) => `  ${kind.replace("_", "-")}`),
    ),
  ];
}

function stateLine({ id, version }: StateRecord): string {
  return `  ${id}, version ${version}`;
}

function objectLines(object: ObjectRecord): string[] {
  const what = object.name === "vmlinux" ? "vmlinux" : `the module ${object.name}`;
  const id = object.buildId === undefined ? "" : ` (build-id ${object.buildId})`;
  return [
    ...section(`Functions patched in ${what}${id}`, object.funcs.flatMap(funcLines)),
    ...section(
      `Constants overwritten in ${what}`,
      (object.values ?? []).map((name) => `  ${name}`),
    ),
    ...section(
      `Callbacks of ${what}`,
      object.callbacks.map((name) => `  ${name.replace("_", "-")}`),
    ),
  ];
}

function funcLines(func: FuncRecord): string[] {
  const position = func.sympos === 0 ? "" : `, number ${func.sympos} of that name`;
  const { original, patched } = func.size;
  return [
    `  ${func.name}${position}`,
    `    ${func.source}, ${original} -> ${patched} bytes`,
    `    ${func.why}`,
    ...(func.by === "switch" ? ["    switched with all others while the machine stands still"] : []),
  ];
}

function needLine(need: NeedRecord, byLivepatch: string): string {
  const position = need.sympos === 0 ? "" : `,${need.sympos}`;
  const how = need.by === "exported" ? "exported" : byLivepatch;
  return `  ${need.name}${position} of ${need.object}, ${how}`;
}

function proofLines(proof: ProofRecord): string[] {
  const functions = proof.proved === 1 ? "1 function" : `${proof.proved} functions`;
  return [
    `  ${proof.source}: ${functions}, byte for byte, in ${proof.object}`,
    ...(proof.absent.length === 0 ? [] : [`    not in what was shipped: ${proof.absent.join(", ")}`]),
    ...proof.differing.map(({ name, reason }) => `    differs, and is not patched: ${name}: ${reason}`),
  ];
}
