/** How a unit's type and the running object's differ, as a phrase for a message. */
import { describeType } from "./describe.ts";
import { type LayoutMember, layoutOf } from "./layout.ts";
import { heldValue } from "./same-layout.ts";
import type { Btf, TypeId } from "./types.ts";

const MAX_PARTS = 4;

/**
 * Says where `other` of the running object (`there`) is not `id` of the unit (`in the
 * source`); at most a few places are named. Both are of one kind, and known to differ.
 * Throws `BTF_CORRUPT`.
 */
export function describeRunning(unit: Btf, id: TypeId, running: Btf, other: TypeId): string {
  const type = unit.type(id);
  const there = running.type(other);
  if (type.kind === "enum" && there.kind === "enum") {
    const known = new Map(there.values.map(({ name, value }) => [name, heldValue(value)]));
    const parts = type.values
      .map(({ name, value }) => ({ name, is: heldValue(value), was: known.get(name) }))
      .filter(({ is, was }) => was !== undefined && was !== is);
    return listed([
      ...differingSizes(there.size, type.size),
      ...parts.map(({ name, is, was }) => `${name} is ${was} there, ${is} in the source`),
    ]);
  }
  const here = layoutOf(unit, id);
  const actual = layoutOf(running, other);
  if (here === undefined || actual === undefined)
    return `${describeType(running, other)} there, ${describeType(unit, id)} in the source`;
  const parts = differingSizes(actual.size, here.size);
  const members = new Map(actual.members.map((member) => [member.name, member]));
  for (const member of here.members) {
    const at = members.get(member.name);
    members.delete(member.name);
    if (at === undefined) parts.push(`${member.name} is in the source alone`);
    else if (at.bitOffset !== member.bitOffset)
      parts.push(`${member.name} at ${placeOf(at)} there, at ${placeOf(member)} in the source`);
    else if (at.bitSize !== member.bitSize)
      parts.push(`${member.name} has ${sizeOf(at)} there, ${sizeOf(member)} in the source`);
  }
  for (const { name } of members.values()) parts.push(`${name} is there alone`);
  return parts.length === 0 ? "its members are of other types" : listed(parts);
}

function differingSizes(there: number, here: number): string[] {
  return there === here ? [] : [`${there} bytes there, ${here} in the source`];
}

function listed(parts: readonly string[]): string {
  const more = parts.length > MAX_PARTS ? [`and ${parts.length - MAX_PARTS} more`] : [];
  return [...parts.slice(0, MAX_PARTS), ...more].join(", ");
}

/** A bit field that does not start at a byte is at `+<bytes>.<bits>`. */
function placeOf({ bitOffset }: LayoutMember): string {
  const bits = bitOffset % 8;
  return `+${Math.floor(bitOffset / 8)}${bits === 0 ? "" : `.${bits}`}`;
}

function sizeOf({ bitSize }: LayoutMember): string {
  return bitSize % 8 === 0 ? `${bitSize / 8} bytes` : `${bitSize} bits`;
}
