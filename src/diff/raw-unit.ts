/** An object file as it is read, before it is cut into atoms. */
import type { Arch } from "../arch/arch.ts";
import type { UnitSection, UnitSymbol } from "./unit.ts";

/** A relocation whose symbol is one of the unit's. */
export interface RawReference {
  readonly offset: number;
  readonly type: number;
  readonly symbol: UnitSymbol;
  readonly addend: number;
}

/** Sections, symbols and relocations under the words of unit.ts; its tables are not yet taken apart. */
export interface RawUnit {
  readonly name: string;
  readonly arch: Arch;
  readonly sections: UnitSection[];
  readonly symbols: UnitSymbol[];
  /** By section index, in order of offset. */
  readonly relocations: Map<number, RawReference[]>;
  /** By section index, where a call of ftrace was that the kernel's build has made a NOP. */
  readonly hooks: ReadonlyMap<number, readonly number[]>;
}

/** A label that the compiler made: no name to know anything by. */
export function isLabel(name: string): boolean {
  return name.startsWith(".L");
}
