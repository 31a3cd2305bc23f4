/** What a file of the kernel's source is, by its path alone. */
import type { KernelSources } from "../../../arch/kernel-sources.ts";
import type { FileKind } from "../../../source/diffs/file-rules.ts";

/** Where a machine's own files of each kind are. */
export type MachineFiles = Pick<KernelSources, "directory" | "vdso" | "vdsoSetup" | "boot" | "offsets" | "tables">;

/** Parts of these that go into the kernel all the same are known by their units. */
const NOT_CODE = /^(Documentation|LICENSES|samples|scripts|tools|usr|rust\/.*\.md)\//;
const NOT_CODE_NAMES =
  /(^|\/)(MAINTAINERS|CREDITS|COPYING|README|TODO|\.[^/]+|.*\.(rst|txt|md|yaml|cocci|dts|dtsi|dtso|json))$/;

/** Programs of the build that write C, and the tables that others make C of. */
const GENERATORS = /^(scripts\/(asn1_compiler\.c|selinux\/genheaders\/.*|ipe\/.*|syscall(hdr|tbl|nr)\.sh|atomic\/.*))$/;

/** The same on all machines. */
const VDSO = /^(lib\/vdso|include\/vdso)\//;
const BOOT = /^drivers\/firmware\/efi\/libstub\//;
const OFFSETS = /^kernel\/bounds\.c$/;

/** What packages of modules have beside their code: DKMS's and Debian's own files. */
const PACKAGING = /^(dkms\.conf|debian\/.*)$/;

/** Of a module's own source, by its name: no folder of it is one of the kernel's. */
export function moduleFileKind(path: string): FileKind {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return NOT_CODE_NAMES.test(path) || PACKAGING.test(path) ? "not-code" : kindByName(name);
}

/** By the path, from the top of the source, and where the machine has what. */
export function fileKind(path: string, machine: MachineFiles): FileKind {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (GENERATORS.test(path) || machine.tables.test(path)) return "generator";
  if (NOT_CODE.test(path) || NOT_CODE_NAMES.test(path)) return "not-code";
  const arch = /^arch\/([^/]+)\//.exec(path)?.[1];
  if (arch !== undefined && arch !== machine.directory) return "other-architecture";
  if ((VDSO.test(path) || machine.vdso.test(path)) && !machine.vdsoSetup.test(path)) return "vdso";
  if (BOOT.test(path) || machine.boot.test(path)) return "boot";
  if (OFFSETS.test(path) || machine.offsets.test(path)) return "offsets";
  return kindByName(name);
}

function kindByName(name: string): FileKind {
  if (/^Kconfig/.test(name)) return "kconfig";
  if (/^(Makefile|Kbuild)/.test(name) || name.endsWith(".mk")) return "makefile";
  if (name.endsWith(".c")) return "source";
  if (name.endsWith(".h") || name.endsWith(".inc")) return "header";
  if (/\.(S|s|lds)$/.test(name)) return "assembly";
  if (name.endsWith(".rs")) return "rust";
  return "generator";
}
