/** A program as what a livepatch is built for. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { archOfHost } from "../../arch/registry.ts";
import type { Run, Subject } from "../../builder/subject.ts";
import { readElf } from "../../elf/read.ts";
import type { ProgramMetadata } from "../../patch/program-metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { elfHead, isForHost } from "../../provider/program/machine.ts";
import { compilerNamed } from "../../provider/toolchain/compiler.ts";
import { readDiffs } from "../../source/diffs/diff-input.ts";
import { compileInProgramView } from "./compile.ts";
import { flagRefusals } from "./flags.ts";
import { compileProgramOriginal } from "./originals.ts";
import type { Program, ProgramUnit } from "./program.ts";
import type { ProgramUnitDiff } from "./unit-diff.ts";
import { affectedProgramUnits } from "./units/affected.ts";
import { withCopies } from "./units/copies.ts";
import { programRules } from "./units/file-rules.ts";
import { readSourceReads, type SourceReads } from "./units/source-reads.ts";

/** The steps' questions, answered for a program; nothing is read or compiled before they are asked. */
export function programSubject(program: Program, run: Run): Subject<ProgramUnit, ProgramUnitDiff, ProgramMetadata> {
  const { cache } = run;
  const reads = once(() => readSourceReads(program.tree));
  const isOwnCode = isCodeOf(program, reads);
  const compilerOf = ({ command }: ProgramUnit, signal?: AbortSignal) => compilerNamed(command.compiler, cache, signal);
  return {
    kind: "program",
    suffix: ".o",
    tree: program.tree,
    asItWas: {
      what: "built",
      hint: "check that sources, generated files and compiler are those that the program was built with",
    },
    // One that comes later is told by our own core.
    keepsRelied: true,
    async readDiffs(diffs, strip) {
      const isUnit = async (path: string) => isOwnCode(path);
      const input = await readDiffs(diffs, { tree: program.tree, isUnit, leftOut: [], strip, rules: programRules });
      return { ...input, files: withCopies(program, input.files) };
    },
    async affectedUnits({ files }) {
      const affected = await affectedProgramUnits(program, files, { ...run, reads: reads() });
      return { ...affected, refusals: [...affected.refusals, ...affected.units.flatMap(flagRefusals)] };
    },
    compilerOf,
    async compileOriginal(unit, signal) {
      const compiler = await compilerOf(unit, signal);
      // What ships has the plain form, by which the unit will be proved.
      const [plain, original] = await Promise.all(
        (["plain", "sections"] as const).map((variant) =>
          compileProgramOriginal(unit, cache, { compiler, variant, signal }),
        ),
      );
      return plain?.kind === "compiled" && original !== undefined ? original : (plain as NonNullable<typeof plain>);
    },
    async compileInView(unit, { view, into, more = [] }, signal) {
      const compiler = await compilerOf(unit, signal);
      const own = { ...unit, command: { ...unit.command, args: [...unit.command.args, ...more] } };
      const options = { compiler, variant: "sections", signal } as const;
      return await compileInProgramView(own, { tree: program.tree, view }, join(into, "unit.o"), options);
    },
    async readObject(path, unit) {
      if (!isForHost(elfHead(path) ?? Buffer.alloc(0))) return otherMachine(unit);
      return readElf(await readFile(path), unit.source);
    },
    async openShipped() {
      const { shippedSide } = await import("./shipped-side.ts");
      return shippedSide(program, reads(), run);
    },
  };
}

/** Whether a file is compiled, or its name says that it is none of the program's code and the code reads it all the same. */
export function isCodeOf(
  { tree, units }: Pick<Program, "tree" | "units">,
  reads: () => SourceReads = once(() => readSourceReads(tree)),
): (path: string) => boolean {
  const sources = new Set(units.map(({ source }) => source));
  return (path) =>
    sources.has(path) ||
    (programRules.kindOf(path) === "not-code" && (reads().isNamed(path) || reads().isEmbedded(path)));
}

function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function otherMachine({ source }: ProgramUnit): Refusal {
  return refusal(
    "OTHER_MACHINE",
    `${source} is compiled to something else than an object for ${archOfHost().name}`,
    source,
    "leave that compile out of the compile commands",
  );
}
