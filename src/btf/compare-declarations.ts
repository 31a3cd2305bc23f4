/** Functions and variables of one translation unit whose type a source diff changes. */
import { describeType } from "./describe.ts";
import { sameContentsIn } from "./same-contents.ts";
import { sameTypeIn } from "./same-type.ts";
import { sharedTypes } from "./shared-types.ts";
import type { Btf, TypeId } from "./types.ts";

/** One function or variable that both objects have under one name, with another type. */
export interface DeclarationChange {
  readonly kind: "function" | "variable";
  readonly name: string;
  /** Its type, as it would be written in C, roughly. */
  readonly original: string;
  readonly patched: string;
}

/** Functions that both define and that take or return something else; names of parameters do not count. */
export function comparePrototypes(original: Btf, patched: Btf): DeclarationChange[] {
  return compareDeclarations(original, patched, "function");
}

/** Variables outside functions that both have and that are of another type; compilers leave out those inside. */
export function compareVariables(original: Btf, patched: Btf): DeclarationChange[] {
  return compareDeclarations(original, patched, "variable");
}

/**
 * Variables of which what lies in memory means something else with the new type:
 * another struct, a pointer to something else. Numbers of one size are the same,
 * and what points to void may point to anything.
 */
export function compareContents(original: Btf, patched: Btf): DeclarationChange[] {
  return compareDeclarations(original, patched, "variable", sameContentsIn(original, patched));
}

function compareDeclarations(
  original: Btf,
  patched: Btf,
  kind: DeclarationChange["kind"],
  isSame = sameTypeIn(original, patched, sharedTypes(original, patched)).types,
): DeclarationChange[] {
  const counterparts = declarations(patched, kind);
  const changes: DeclarationChange[] = [];
  for (const [name, before] of declarations(original, kind)) {
    const after = counterparts.get(name) ?? [];
    const gone = before.filter((a) => !after.some((b) => isSame(a, b)));
    const added = after.filter((b) => !before.some((a) => isSame(a, b)));
    for (const [i, a] of gone.entries()) {
      const b = added[i];
      if (b === undefined) continue;
      changes.push({
        kind,
        name,
        original: describeType(original, a),
        patched: describeType(patched, b),
      });
    }
  }
  return changes;
}

/** Ids of types by the names of what is declared with them. */
function declarations(btf: Btf, kind: DeclarationChange["kind"]): Map<string, TypeId[]> {
  const byName = new Map<string, TypeId[]>();
  for (let id = btf.base?.count ?? 1; id < btf.count; id++) {
    if (btf.kind(id) !== kind) continue;
    const type = btf.type(id);
    // gcc 12 adds a nameless function for each prototype.
    if (type.name === "") continue;
    const declared = type.kind === "function" ? type.prototype : type.kind === "variable" ? type.type : undefined;
    if (declared === undefined) continue;
    const known = byName.get(type.name);
    if (known === undefined) byName.set(type.name, [declared]);
    else known.push(declared);
  }
  return byName;
}
