/** From the diffs of a program's units to the livepatch. */
import type { LinkResult, Run, Wanted } from "../../builder/subject.ts";
import { isLinked } from "../../diff/selection.ts";
import type { Atom } from "../../diff/unit.ts";
import { STB } from "../../elf/constants.ts";
import type { ProgramLinkUnit, ProgramObject } from "../../link/program-input.ts";
import { linkProgramLivepatch } from "../../link/program-livepatch.ts";
import type { ProgramMetadata } from "../../patch/program-metadata.ts";
import { compilerNamed } from "../../provider/toolchain/compiler.ts";
import { type Definers, definersFor } from "./definers.ts";
import { mainNotes } from "./findings.ts";
import { provedName } from "./hooks.ts";
import { programLinkUnit } from "./locate.ts";
import { proofRecord } from "./match/prove.ts";
import type { Program } from "./program.ts";
import { homesOf, type ProgramUnitDiff } from "./unit-diff.ts";
import type { SourceReads } from "./units/source-reads.ts";

/** What is linked to, the texts of its source, and how the build is done. */
export interface ProgramLinkOptions {
  readonly program: Program;
  readonly reads: SourceReads;
  readonly run: Run;
}

/**
 * Links all diffs to one file, and asks for definers where new code needs them. An
 * inline function that several units have is patched once.
 */
export async function linkForProgram(
  all: readonly ProgramUnitDiff[],
  { relied }: Wanted<ProgramUnitDiff>,
  { program, reads, run: { cache, jobs, signal } }: ProgramLinkOptions,
): Promise<LinkResult<ProgramMetadata>> {
  const relying = all.map((each) => ({ ...each, relies: relied.get(each) ?? [] }));
  const diffs = withoutTwice(relying);
  const definers = await definersFor(program, diffs, reads, { cache, jobs, signal });
  if (definers.refusals.length > 0) return { kind: "refused", refusals: definers.refusals };
  const [first] = diffs;
  if (first === undefined) throw new Error("there is no diff to link");
  const linked = linkProgramLivepatch({
    arch: first.diff.patched.arch,
    objects: objectsOf(diffs),
    units: linkUnitsOf(diffs, definers),
  });
  if (linked.refusals.length > 0) return { kind: "refused", refusals: linked.refusals };
  const { text: compiler } = await compilerNamed(first.unit.command.compiler, cache, signal);
  return {
    kind: "linked",
    write: linked.write,
    metadata: {
      kind: "program",
      program: { ...packageOf(program), compiler },
      objects: linked.objects,
      newFunctions: [...new Set(linked.newFunctions)],
      needs: linked.needs,
      proofs: await Promise.all([...diffs.map(({ proof }) => proof), ...definers.proofs].map(proofRecord)),
      notes: [...diffs.flatMap(mainNotes), ...linked.notes],
      fates: diffs.flatMap(({ diff }) => diff.fates),
      stays: linked.stays,
      states: linked.states,
    },
  };
}

function packageOf({ package: from }: Program): { package?: string; version?: string } {
  return from === undefined ? {} : { package: from.name, version: from.version };
}

interface Relying extends ProgramUnitDiff {
  readonly relies: readonly string[];
}

function objectsOf(diffs: readonly Relying[]): ProgramObject[] {
  const objects = new Map<string, ProgramObject>();
  for (const { diff, proof, relies } of diffs) {
    if (!isLinked(diff.selection)) continue;
    const { object: name, buildId, path } = proof.shipped;
    const others = objects.get(name)?.relies ?? [];
    const own = relies.map((relied) => ({ source: diff.selection.unit, name: relied }));
    objects.set(name, { name, buildId, path, relies: [...others, ...own] });
  }
  return [...objects.values()];
}

function linkUnitsOf(diffs: readonly Relying[], { proofs, own }: Definers): ProgramLinkUnit[] {
  const homes = homesOf(diffs.map(({ diff, proof }) => ({ atoms: diff.original.atoms, proof })));
  const all = [...diffs.map(({ proof }) => proof), ...proofs];
  return diffs
    .filter(({ diff }) => isLinked(diff.selection))
    .map(({ diff, proof, patched }) => {
      const beside = all.filter(({ shipped }) => shipped === proof.shipped);
      const defined = own.get(proof.shipped.object) ?? new Set<string>();
      const homeOf = homes.get.bind(homes);
      const opened = openedIn(diffs.filter((each) => each.proof.shipped === proof.shipped));
      return programLinkUnit({ selection: diff.selection, proof, beside, defined, opened, homeOf }, patched);
    });
}

/** By name, what was static and is there, and is not static any more. */
function openedIn(diffs: readonly Relying[]): Map<string, Atom> {
  const opened = new Map<string, Atom>();
  for (const { diff } of diffs)
    for (const [atom, before] of diff.pairing.originalOf)
      for (const { name, binding } of atom.symbols)
        if (binding !== STB.LOCAL && before.symbols.some((was) => was.name === name && was.binding === STB.LOCAL))
          opened.set(name, before);
  return opened;
}

/** An inline function that several units hold is one function of the object: it is patched once. */
function withoutTwice(diffs: readonly Relying[]): Relying[] {
  const seen = new Set<string>();
  return diffs.map((each) => {
    const { selection } = each.diff;
    const funcs = selection.funcs.filter(({ original }) => {
      const name = provedName(original, each.proof);
      const at = name === undefined ? undefined : each.proof.match.proved.get(name)?.at;
      if (at === undefined) return true;
      const key = `${each.proof.shipped.object} ${at}`;
      const isNew = !seen.has(key);
      seen.add(key);
      return isNew;
    });
    return funcs.length === selection.funcs.length
      ? each
      : { ...each, diff: { ...each.diff, selection: { ...selection, funcs } } };
  });
}
