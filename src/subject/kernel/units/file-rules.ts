/** Files of the kernel's source: what of a diff no livepatch can carry, and what none needs to. */
import type { RefusalCode } from "../../../lib/codes.ts";
import type { Note } from "../../../patch/metadata.ts";
import { type Refusal, refusal } from "../../../patch/refusal.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import type { FileKind, FileRules, RefusedKind } from "../../../source/diffs/file-rules.ts";
import { objectChange } from "../../../source/diffs/makefile-objects.ts";
import { fileKind, type MachineFiles, moduleFileKind } from "./file-kinds.ts";
import { generatedFrom } from "./generator-inputs.ts";

/** Of a kernel's own source, or of that of modules beside it. */
export function rulesOf({ arch, kernelTree }: Kernel): FileRules {
  const rules = kernelRules(arch.kernel.sources);
  return kernelTree === "." ? rules : { ...rules, kindOf: moduleFileKind, ofTexts: () => undefined };
}

/** Of a kernel for a machine. */
export function kernelRules(machine: MachineFiles): FileRules {
  return {
    kindOf: (path) => fileKind(path, machine),
    note: noteFor,
    refusal: refusalFor,
    ofTexts: (path, original, patched) => {
      const made = generatedFrom(path, original, patched);
      return made === undefined ? undefined : generatedRefusal(path, made);
    },
    objects: objectChange,
  };
}

/** A note for a file whose change can be left out without loss; undefined for all others. */
function noteFor(path: string, kind: FileKind): Note | undefined {
  switch (kind) {
    case "not-code":
      return {
        code: "FILE_IGNORED",
        text: /^scripts\/|^tools\/(objtool|bpf\/resolve_btfids)\//.test(path)
          ? `${path} belongs to what builds the kernel, and the running one is built; its change is left out`
          : `${path} is not code of the kernel; its change is left out`,
      };
    case "other-architecture":
      return { code: "OTHER_ARCHITECTURE", text: `${path} is for another architecture; its change is left out` };
    default:
      return undefined;
  }
}

const REFUSED: { readonly [Kind in RefusedKind]: readonly [code: RefusalCode, what: string, hint: string] } = {
  assembly: [
    "ASSEMBLY_CHANGED",
    "is assembly, which has no functions that could be told apart and redirected",
    "write the change in C, in a function that calls the assembly or is called by it",
  ],
  kconfig: [
    "KCONFIG_CHANGED",
    "changes the configuration, which is fixed in a running kernel",
    "leave it out of the diff, and write code as the running configuration has it",
  ],
  makefile: [
    "MAKEFILE_CHANGED",
    "changes how the kernel is built; the running one was built by the old rules",
    "leave it out of the diff; code of a new file can go into one that exists",
  ],
  vdso: [
    "VDSO_CHANGED",
    "is part of the vdso, which runs in user space, in pages that processes have mapped already",
    "leave it out of the diff; a fix of the vdso needs a reboot",
  ],
  boot: [
    "BOOT_CODE_CHANGED",
    "is part of the boot code, which has run and is gone",
    "leave it out of the diff; it takes effect with the next kernel that is booted",
  ],
  offsets: [
    "GENERATED_OFFSETS_CHANGED",
    "makes the numbers by which assembly knows structs, and the assembly runs already",
    "leave it out of the diff",
  ],
  generator: [
    "GENERATED_SOURCE_CHANGED",
    "takes part in making source when the kernel is built, which is not done anew",
    "put the change that it makes in C code into the diff instead",
  ],
  rust: ["RUST_CHANGED", "is Rust; only C can be patched", "leave it out of the diff"],
};

/** The refusal of a kind; its hint says what can be changed instead. */
export function refusalFor(path: string, kind: RefusedKind): Refusal {
  const [code, what, hint] = REFUSED[kind];
  return refusal(code, `${path} ${what}`, path, hint);
}

/** Of a header, from which a program of the kernel's build makes source. */
function generatedRefusal(path: string, made: string): Refusal {
  return refusal(
    "GENERATED_SOURCE_CHANGED",
    `${made} is made from ${path} by a program of the kernel's build, which is not run, and would be another one`,
    path,
    'leave out of the header what is taken from there; a new flag of the processor, for one, is not if its comment begins with ""',
  );
}
