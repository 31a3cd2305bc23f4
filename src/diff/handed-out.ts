/** Whether code may have given away the address of a constant, which then is in use where it lies. */
import { decodeInstruction } from "../arch/x86_64/instruction.ts";
import { readsAt } from "../arch/x86_64/operands.ts";
import type { Atom, Reference } from "./unit.ts";

/**
 * Of what `user` does with `constant`: false only where each of its references is
 * the operand of an instruction that reads there. What data has is given away.
 */
export function mayHandOut(user: Atom, constant: Atom): boolean {
  const fields = user.references.filter(({ target }) => target.kind === "atom" && target.atom === constant);
  if (user.kind !== "function" && user.kind !== "code") return fields.length > 0;
  return fields.some((field) => !isRead(user, field));
}

function isRead({ data, symbols, start }: Atom, { offset }: Reference): boolean {
  const starts = [0, ...symbols.map(({ value }) => value - start)].filter((at) => at <= offset);
  for (let at = Math.max(...starts); at <= offset; ) {
    const instruction = decodeInstruction(data, at);
    if (instruction === undefined) return false;
    if (at + instruction.length > offset) return readsAt(data, at, offset);
    at += instruction.length;
  }
  return false;
}
