import { basename, dirname } from "node:path";

/** Where an object file ends up. */
export type Lands =
  | { readonly kind: "vmlinux" }
  /** Paths without .ko, relative to the tree; more than one where modules share the object. */
  | { readonly kind: "module"; readonly modules: readonly string[] }
  /** In no code of the running kernel proper: the vdso, real mode, purgatory, boot stubs. */
  | { readonly kind: "elsewhere" };

/** A translation unit, as kbuild compiles it. Paths are relative to the source tree. */
export interface Unit {
  readonly source: string;
  /**
   * As kbuild gives it to the compiler, which shows it in __FILE__, where that is another way there:
   * `arch/x86/kvm/../../../virt/kvm/kvm_main.c`, as one makefile names objects of another folder.
   */
  readonly spelled?: string;
  readonly object: string;
  readonly lands: Lands;
  /** For the compiler, run in the source tree; without source, object and dependency list. */
  readonly args: readonly string[];
  /** For objtool, without the object; undefined where it does not look at this object. */
  readonly objtool: readonly string[] | undefined;
}

/**
 * The compile of another file as this one's, by the same way there where both lie in one folder.
 * @param source relative to the tree
 */
export function compiledLike({ spelled, ...unit }: Unit, source: string): Unit {
  const other = { ...unit, source, object: source.replace(/c$/, "o") };
  const isBeside = dirname(source) === dirname(unit.source);
  return spelled === undefined || !isBeside ? other : { ...other, spelled: `${dirname(spelled)}/${basename(source)}` };
}
