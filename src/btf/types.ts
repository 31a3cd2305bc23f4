/** The kinds of BTF (Documentation/bpf/btf.rst of the kernel), as plain records. */

import type { Words } from "../elf/words.ts";

/** Number of a type within one BTF; 0 is void. A module's types go on from those of vmlinux. */
export type TypeId = number & { readonly __brand: "TypeId" };

/** One member of a struct or union; offsets and sizes of members are in bits. */
export interface BtfMember {
  /** Empty for an anonymous struct or union. */
  readonly name: string;
  readonly type: TypeId;
  /** From the start of the struct. */
  readonly bitOffset: number;
  /** 0 where the member is not a bit field. */
  readonly bitFieldSize: number;
}

/** One parameter of a prototype; its name may be empty. */
export interface BtfParameter {
  readonly name: string;
  readonly type: TypeId;
}

/** A struct or union; one that is only declared is a `forward`. The name is empty where it has none. */
export interface BtfComposite {
  readonly kind: "struct" | "union";
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly members: readonly BtfMember[];
}

/** An enum of 32 or of 64 bits: `size` is bytes, and `value` has its sign where the file tells that it has one. */
export interface BtfEnum {
  readonly kind: "enum";
  readonly name: string;
  readonly size: number;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

/** What a function takes and returns. */
export interface BtfPrototype {
  readonly kind: "prototype";
  readonly name: "";
  readonly result: TypeId;
  /** A last parameter without name and of type void stands for "...". */
  readonly parameters: readonly BtfParameter[];
}

/** One record, by its kind. Ids in it are of the same BTF, and looked up only when they are asked for. */
export type BtfType =
  | { readonly kind: "void"; readonly name: "" }
  | {
      readonly kind: "int";
      readonly name: string;
      readonly size: number;
      readonly bits: number;
      /** Within its storage unit; other than 0 only in bit fields of old BTF. */
      readonly bitOffset: number;
      readonly signed: boolean;
    }
  | { readonly kind: "float"; readonly name: string; readonly size: number }
  | {
      readonly kind: "pointer" | "const" | "volatile" | "restrict" | "typedef" | "type tag";
      readonly name: string;
      readonly target: TypeId;
    }
  | {
      readonly kind: "array";
      readonly name: "";
      readonly element: TypeId;
      readonly length: number;
    }
  | BtfComposite
  | BtfEnum
  | { readonly kind: "forward"; readonly name: string; readonly of: "struct" | "union" }
  | BtfPrototype
  | { readonly kind: "function"; readonly name: string; readonly prototype: TypeId }
  | { readonly kind: "variable"; readonly name: string; readonly type: TypeId }
  | {
      readonly kind: "section";
      readonly name: string;
      readonly variables: readonly {
        readonly type: TypeId;
        readonly offset: number;
        readonly size: number;
      }[];
    }
  | {
      readonly kind: "declaration tag";
      readonly name: string;
      readonly target: TypeId;
      /** -1 for the whole declaration, else a member or parameter. */
      readonly component: number;
    };

/**
 * Kinds under the names that are used here; a `pointer` is BTF_KIND_PTR, a `prototype`
 * BTF_KIND_FUNC_PROTO, an `enum` either of the two.
 */
export type BtfKind = BtfType["kind"];

/** The parts of the file, their bounds checked. */
export interface BtfSections {
  readonly bytes: Words;
  readonly types: Buffer;
  readonly strings: Buffer;
  /** Where in `types` each record starts. */
  readonly starts: Uint32Array;
}

/** The types of one object. Nothing in them is trusted: each access checks what it touches. */
export interface Btf {
  /** For messages. */
  readonly name: string;
  /** What it was read from, without the base. */
  readonly sections: BtfSections;
  /** What a module's BTF continues. */
  readonly base: Btf | undefined;
  /** Type ids are below this; 0 is void; ids of the base come first. */
  readonly count: number;
  /** Bytes of strings, those of the base included. */
  readonly stringsSize: number;
  /** Throws `BTF_CORRUPT` for an id that does not exist, as every access may. */
  type(id: number): BtfType;
  kind(id: number): BtfKind;
  string(offset: number): string;
  /** Ids of the types with this name, in ascending order. */
  findByName(name: string, kind?: BtfKind): TypeId[];
}
