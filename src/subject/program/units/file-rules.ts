/** What files of a program's source are, and what is said where no livepatch can be made of a change to one. */
import type { RefusalCode } from "../../../lib/codes.ts";
import { type Refusal, refusal } from "../../../patch/refusal.ts";
import type { FileKind, FileRules, RefusedKind } from "../../../source/diffs/file-rules.ts";
import { repackedTypes } from "./packed-types.ts";

const HEADER = /\.(h|hh|hpp|hxx|h\+\+|H|inc|inl|ipp|tcc|def|tpp|x)$/;
const SOURCE = /\.(c|cc|cp|cpp|cxx|c\+\+|C)$/;
const GENERATOR = /\.(y|l|yy|ll|ypp|lpp|re|in|am|ac|m4|proto|gperf|xs|pyx)$/;
const BUILD =
  /(^|\/)(Makefile[^/]*|GNUmakefile|CMakeLists\.txt|meson\.build|meson_options\.txt|configure|config\.guess|config\.sub|[^/]*\.(cmake|mk|mak))$/;
/** Not built into what ships, in the layouts that are usual. */
const BESIDE =
  /(^|\/)(tests?|testing|testsuite|reg-?tests?|regress|t|docs?|examples?|samples?|fuzz|fuzzing|benchmarks?|debian|contrib|\.github|po|man)\//;

/** For any program, whatever its build system is. */
export const programRules: FileRules = {
  kindOf(path): FileKind {
    if (BESIDE.test(path)) return "not-code";
    if (SOURCE.test(path)) return "source";
    if (HEADER.test(path)) return "header";
    if (/\.(S|s|asm)$/.test(path)) return "assembly";
    if (path.endsWith(".rs")) return "rust";
    if (BUILD.test(path) || /\.(am|ac|m4)$/.test(path)) return "makefile";
    return GENERATOR.test(path) ? "generator" : "not-code";
  },
  note(path, kind) {
    if (kind !== "not-code") return undefined;
    return { code: "FILE_IGNORED", text: `${path} is not code of the program; its change is left out` };
  },
  refusal(path, kind) {
    const [code, what, hint] = REFUSED[kind] ?? OTHER;
    return refusal(code, `${path} ${what}`, path, hint);
  },
  ofTexts(path, original, patched) {
    const names = repackedTypes(original, patched);
    return names.length === 0 ? undefined : repacked(names, path);
  },
};

function repacked(names: readonly string[], path: string): Refusal {
  return refusal(
    "DATA_LAYOUT_CHANGED",
    `${names.join(", ")}: packed, or of an order of bytes of its own, in one of the two versions alone; what the running system holds is as it was`,
    path,
    "leave that as it is, and give what needs the other one a type of its own",
  );
}

const OTHER = [
  "GENERATED_SOURCE_CHANGED",
  "is made into source by a program of the build, which is not run again",
  "put the change that it makes in C code into the diff instead",
] as const;

const REFUSED: { readonly [Kind in RefusedKind]?: readonly [code: RefusalCode, what: string, hint: string] } = {
  assembly: [
    "ASSEMBLY_CHANGED",
    "is assembly, which has no functions that could be told apart and redirected",
    "write the change in C, in a function that calls the assembly or is called by it",
  ],
  makefile: [
    "MAKEFILE_CHANGED",
    "changes how the program is built; the running one was built by the old rules",
    "leave it out of the diff; code of a new file can go into one that exists",
  ],
  rust: ["RUST_CHANGED", "is Rust; only C and C++ can be patched", "leave it out of the diff"],
};
