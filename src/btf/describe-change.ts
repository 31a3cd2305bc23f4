/** A change of types as one phrase, for a message. */
import type { LayoutChange, MovedMember } from "./compare.ts";

const MAX_PARTS = 8;

/** For instance `struct s grows from 8 to 24 bytes: b moves from 4 to 16, n is new at 8`; offsets in bytes. */
export function describeChange(change: LayoutChange): string {
  const name = change.name === "" ? `an ${change.kind} without a name` : `${change.kind} ${change.name}`;
  const parts = partsOf(change);
  const shown = parts.slice(0, MAX_PARTS).join(", ");
  const rest = parts.length > MAX_PARTS ? `, and ${parts.length - MAX_PARTS} more` : "";
  const { original, patched } = change.size;
  const grows = original < patched ? "grows" : "shrinks";
  const size = original === patched ? "" : ` ${grows} from ${original} to ${patched} bytes`;
  return parts.length === 0 ? name + size : `${name}${size}: ${shown}${rest}`;
}

function partsOf(change: LayoutChange): string[] {
  switch (change.kind) {
    case "struct":
    case "union":
      return change.moved.map(describeMember);
    case "enum":
      return change.values.map(({ name, original, patched }) => `${name} changes from ${original} to ${patched}`);
    case "typedef":
      return [`from ${change.type.original} to ${change.type.patched}`];
  }
}

function describeMember({ member, original, patched }: MovedMember): string {
  if (original === undefined) return `${member} is new at ${bytes(patched?.bitOffset ?? 0)}`;
  if (patched === undefined) return `${member} at ${bytes(original.bitOffset)} is gone`;
  if (original.bitOffset !== patched.bitOffset) {
    return `${member} moves from ${bytes(original.bitOffset)} to ${bytes(patched.bitOffset)}`;
  }
  if (original.type !== patched.type) return `${member} changes from ${original.type} to ${patched.type}`;
  return `${member} changes from ${original.bitSize} to ${patched.bitSize} bits`;
}

/** A bit field that does not start at a byte is at `<bytes>.<bits>`. */
function bytes(bitOffset: number): string {
  const bits = bitOffset % 8;
  return `${Math.floor(bitOffset / 8)}${bits === 0 ? "" : `.${bits}`}`;
}
