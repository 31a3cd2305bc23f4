import { printable } from "../lib/error.ts";
import type { FuncRecord, NeedRecord, ObjectRecord, PatchMetadata, ProofRecord } from "../patch/metadata.ts";

/** A livepatch's metadata as text, one heading a question. Names in it are escaped for a terminal. */
export function explanation(patch: PatchMetadata): string[] {
  const { kernel } = patch;
  return [
    `${patch.name}, a livepatch for Linux ${kernel.release}`,
    `  vmlinux build-id ${kernel.buildId}`,
    `  vermagic ${kernel.vermagic.trim()}`,
    `  ${patch.replace ? "replaces all livepatches loaded before it" : "is stacked on those loaded before it"}; made by ${patch.tool}`,
    ...patch.objects.flatMap(objectLines),
    ...section(
      "New functions, which only the livepatch has",
      patch.newFunctions.map((name) => `  ${name}`),
    ),
    ...section("Needs from the running kernel", patch.needs.map(needLine)),
    ...section("Proved equal to the code that was shipped", patch.proofs.flatMap(proofLines)),
    ...section(
      "Notes",
      patch.notes.map((note) => `  ${note.code}: ${note.text}`),
    ),
    ...section(
      "Left out, because no running code is touched by it",
      patch.leftOut.flatMap((each) => [`  ${each.code}: ${each.what}`, `    ${each.where}`, `    ${each.hint}`]),
    ),
  ].map(printable);
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}

function objectLines(object: ObjectRecord): string[] {
  const what = object.name === "vmlinux" ? "vmlinux" : `the module ${object.name}`;
  const id = object.buildId === undefined ? "" : ` (build-id ${object.buildId})`;
  return [
    ...section(`Functions patched in ${what}${id}`, object.funcs.flatMap(funcLines)),
    ...section(
      `Callbacks of ${what}`,
      object.callbacks.map((name) => `  ${name.replace("_", "-")}`),
    ),
  ];
}

function funcLines(func: FuncRecord): string[] {
  const position = func.sympos === 0 ? "" : `, number ${func.sympos} of that name`;
  const { original, patched } = func.size;
  return [`  ${func.name}${position}`, `    ${func.source}, ${original} -> ${patched} bytes`, `    ${func.why}`];
}

function needLine(need: NeedRecord): string {
  const position = need.sympos === 0 ? "" : `,${need.sympos}`;
  const how = need.by === "exported" ? "exported" : "by livepatch relocation";
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
