/** Who refers to what in one object. */
import { codeOf } from "./code.ts";
import type { Named, Place } from "./plain-object.ts";
import type { Side } from "./same.ts";

/** `unknown`: bytes that no symbol covers, or a section that says nothing of itself. */
export type User = Named | "unknown";

/** Sections whose references follow from their code, or are those of the function that an entry is about, or make nothing run. */
const SAYS_NOTHING =
  /^\.(orc_|discard|comment|note|debug|BTF|eh_frame|printk_index|ibt_endbr_seal|return_sites|retpoline_sites|call_sites|smp_locks|altinstructions|parainstructions)|^(__bug_table|__ex_table|__mcount_loc|__patchable_function_entries|_+k(symtab|crctab|flagstab).*|\.export_symbol|__jump_table|\.static_call_sites|runtime_[a-z]+_\w+)$/;

/**
 * Code that stands in for some of a function's: it goes back into the middle of that
 * function, which is no use by another one, and calls others at their start.
 */
const ALTERNATIVE = /^\.altinstr_(replacement|aux)$/;

/** Who refers to one thing of an object. A reference that may be to something else at the same place does not count. */
export interface Users {
  /** Who refers to it, in any way. */
  readonly all: ReadonlySet<User>;
  /** Of these, who takes its address, and may have handed it on. */
  readonly takers: ReadonlySet<User>;
  /** Names of the sections whose bytes without a symbol refer to it. */
  readonly sections: ReadonlySet<string>;
}

/** Of a thing that nothing refers to. */
export const NO_USERS: Users = { all: new Set(), takers: new Set(), sections: new Set() };

/** Users of every thing of the object that has any. A thing's references to itself are no use of it. */
export function usersIn({ object, tables }: Side): ReadonlyMap<Named, Users> {
  const users = new Map<Named, { all: Set<User>; takers: Set<User>; sections: Set<string> }>();
  const note = (place: Place, user: User, isTaken: boolean, section?: string): void => {
    // What refers to something without bytes that begins at the same place is no user of this one.
    if (place.kind !== "named" || place.named === user || place.mayBeEmpty) return;
    const known = users.get(place.named) ?? { all: new Set(), takers: new Set(), sections: new Set() };
    known.all.add(user);
    if (isTaken) known.takers.add(user);
    if (section !== undefined) known.sections.add(section);
    users.set(place.named, known);
  };
  for (const named of object.named) {
    if (named.kind === "function") {
      for (const { references } of codeOf(object, named.section, named.start, named.end))
        for (const { place, kind, isRead } of references) note(place, named, kind !== "branch" && !isRead);
      // Keys of jump labels and static calls, which the code itself does not refer to.
      for (const { fields } of tables.of(named)) for (const field of fields) note(object.placeOf(field), named, false);
    } else if (!SAYS_NOTHING.test(named.section.name))
      for (const field of object.fieldsIn(named.section, named.start, named.end))
        note(object.placeOf(field), named, true);
  }
  for (const section of object.file.sections) {
    if (SAYS_NOTHING.test(section.name)) continue;
    if (ALTERNATIVE.test(section.name)) {
      for (const { references } of codeOf(object, section, 0, section.size))
        for (const { place, kind, isRead } of references)
          if (!isMiddleOfFunction(place)) note(place, "unknown", kind !== "branch" && !isRead, section.name);
      continue;
    }
    for (const field of object.fieldsIn(section))
      if (object.covering(section, field.offset) === undefined)
        note(object.placeOf(field), "unknown", true, section.name);
  }
  return users;
}

function isMiddleOfFunction(place: Place): boolean {
  return place.kind === "named" && place.named.kind === "function" && place.offset > 0;
}

/** The same by who refers: what each thing refers to, in no order. */
export function targetsOf(users: ReadonlyMap<Named, Users>): Map<Named, Named[]> {
  const targets = new Map<Named, Named[]>();
  for (const [target, list] of users) {
    for (const user of list.all) {
      if (user === "unknown") continue;
      const known = targets.get(user);
      if (known === undefined) targets.set(user, [target]);
      else known.push(target);
    }
  }
  return targets;
}
