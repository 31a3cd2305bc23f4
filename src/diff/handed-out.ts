/** Whether code may have given away the address of a constant, which then is in use where it lies. */
import type { FieldTest } from "../arch/code.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { type User, usersOf } from "./hooks.ts";
import { type Atom, entryOffset, isCode, type Reference, type Target, type Unit } from "./unit.ts";

/**
 * Of what `user` does with `constant`: false only where each of its references is
 * the operand of an instruction that reads there. What data has is given away.
 */
export function mayHandOut(user: Atom, constant: Atom): boolean {
  return !usesOnly(
    user,
    (target) => target.kind === "atom" && target.atom === constant,
    user.section.arch.code.readsAt,
  );
}

/**
 * Whether all that `user` does with what is meant is done by instructions of one kind, which hand on no address.
 * @param isUse of the code, the instruction's start and the field that is relocated, whether it is of the kind
 */
export function usesOnly(user: Atom, isMeant: (target: Target) => boolean, isUse: FieldTest): boolean {
  const fields = user.references.filter(({ target }) => isMeant(target));
  if (!isCode(user)) return fields.length === 0;
  return fields.every((field) => !user.section.arch.elf.isBySlot(field.type) && isUsed(user, field, isUse));
}

function isUsed({ data, symbols, start, section }: Atom, { offset }: Reference, isUse: FieldTest): boolean {
  const starts = [0, ...symbols.map(({ value }) => value - start)].filter((at) => at <= offset);
  for (let at = Math.max(...starts); at <= offset; ) {
    const instruction = section.arch.code.decode(data, at);
    if (instruction === undefined) return false;
    if (at + instruction.length > offset) return isUse(data, at, offset);
    at += instruction.length;
  }
  return false;
}

/** What has taken addresses of functions when its object was started, and may have given them to what lives on. */
export class TakenAtStart {
  readonly #original: Unit;
  #users: Map<Atom, User[]> | undefined;

  constructor(original: Unit) {
    this.#original = original;
  }

  /** @param code a function of the original */
  by(code: Atom): Atom | undefined {
    this.#users ??= usersOf(this.#original);
    const taker = this.#users
      .get(code)
      ?.find(
        ({ atom: { section }, isBranch, offset }) =>
          (section.role === "init" || section.role === "load-time") && !isBranch && offset === entryOffset(code),
      );
    return taker?.atom;
  }
}

const NAMED_HOLDERS = 3;

/** `OPERATIONS_CHANGED`. @param holders names of what may hand the table out */
export function operationsChanged(table: Atom, holders: readonly string[], where: string): Refusal {
  const named = holders.slice(0, NAMED_HOLDERS).join(", ");
  const more = holders.length > NAMED_HOLDERS ? ` and ${holders.length - NAMED_HOLDERS} more` : "";
  return refusal(
    "OPERATIONS_CHANGED",
    `the table of functions ${table.name} is changed; ${named}${more} may hand it out, and what has the old one keeps it`,
    where,
    "change a function that the table already names, so that every holder gets the new code",
  );
}
