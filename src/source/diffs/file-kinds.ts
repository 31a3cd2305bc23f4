/** What a file of the kernel's source is, by its path alone. */

/** It decides what a change of the file can do to code that runs. */
export type FileKind =
  | "source"
  | "header"
  | "assembly"
  | "kconfig"
  | "makefile"
  | "vdso"
  | "boot"
  /** Compiled only to learn numbers that assembly needs. */
  | "offsets"
  /** Made into source by a program of the build: tables, grammars, templates. */
  | "generator"
  | "rust"
  | "other-architecture"
  /** Documentation, programs for user space, whatever the kernel does not contain. */
  | "not-code";

/** Parts of these that go into the kernel all the same are known by their units. */
const NOT_CODE = /^(Documentation|LICENSES|samples|scripts|tools|usr|rust\/.*\.md)\//;
const NOT_CODE_NAMES =
  /(^|\/)(MAINTAINERS|CREDITS|COPYING|README|TODO|\.[^/]+|.*\.(rst|txt|md|yaml|cocci|dts|dtsi|dtso|json))$/;

/** Programs of the build that write C, and the tables that others make C of. */
const GENERATORS =
  /^(scripts\/(asn1_compiler\.c|selinux\/genheaders\/.*|ipe\/.*|syscall(hdr|tbl|nr)\.sh|atomic\/.*)|arch\/x86\/lib\/x86-opcode-map\.txt)$/;

/** Kernel code that sets up the vdso, next to the vdso's own. */
const VDSO_SETUP = /^arch\/x86\/entry\/vdso\/(vma|extable|vdso32-setup)\.c$/;
const VDSO = /^(arch\/x86\/entry\/vdso|lib\/vdso|arch\/x86\/include\/asm\/vdso|include\/vdso)\//;
const BOOT = /^(arch\/x86\/(boot|realmode|purgatory)|drivers\/firmware\/efi\/libstub)\//;
const OFFSETS = /^(arch\/x86\/kernel\/asm-offsets(_\d+)?\.c|kernel\/bounds\.c|arch\/x86\/kvm\/kvm-asm-offsets\.c)$/;

/** `architecture` is the directory below arch/, for instance x86. */
export function fileKind(path: string, architecture: string): FileKind {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (GENERATORS.test(path)) return "generator";
  if (NOT_CODE.test(path) || NOT_CODE_NAMES.test(path)) return "not-code";
  const arch = /^arch\/([^/]+)\//.exec(path)?.[1];
  if (arch !== undefined && arch !== architecture) return "other-architecture";
  if (/^Kconfig/.test(name)) return "kconfig";
  if (/^(Makefile|Kbuild)/.test(name) || name.endsWith(".mk")) return "makefile";
  if (VDSO.test(path) && !VDSO_SETUP.test(path)) return "vdso";
  if (BOOT.test(path)) return "boot";
  if (OFFSETS.test(path)) return "offsets";
  if (name.endsWith(".c")) return "source";
  if (name.endsWith(".h") || name.endsWith(".inc")) return "header";
  if (/\.(S|s|lds)$/.test(name)) return "assembly";
  if (name.endsWith(".rs")) return "rust";
  return "generator";
}
