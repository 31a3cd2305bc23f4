/** A type in words close to C. */
import type { Btf, TypeId } from "./types.ts";

/** What is nested deeper is an ellipsis. */
const MAX_DEPTH = 12;
const MAX_PARAMETERS = 256;
/** Longer descriptions end with an ellipsis. */
const MAX_LENGTH = 2000;

/**
 * Named types by their name; anonymous ones by what they hold. Equal types
 * have equal descriptions, whatever their ids.
 */
export function describeType(btf: Btf, id: TypeId): string {
  const text = describe(btf, id, "", { left: MAX_LENGTH, depth: 0 });
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}

interface Budget {
  /** Characters. */
  left: number;
  /** How deep the type lies in others. */
  depth: number;
}

/** `inner` is what the type is put around, as in C's declarators: `*`, `[4]`, `(*)(int)`. */
function describe(btf: Btf, id: TypeId, inner: string, budget: Budget): string {
  const type = btf.type(id);
  budget.left -= 8;
  if (budget.depth > MAX_DEPTH || budget.left < 0) return `…${inner}`;
  const go = (target: TypeId, around: string): string => {
    budget.depth++;
    const text = describe(btf, target, around, budget);
    budget.depth--;
    return text;
  };
  const named = (text: string): string => {
    budget.left -= text.length;
    return inner === "" || inner.startsWith("[") ? text + inner : `${text} ${inner}`;
  };
  switch (type.kind) {
    case "void":
      return named("void");
    case "int":
    case "float":
    case "typedef":
      return named(type.name);
    case "struct":
    case "union":
    case "enum":
      return named(`${type.kind} ${type.name || `{ ${contents(btf, id, go)} }`}`);
    case "forward":
      return named(`${type.of} ${type.name}`);
    case "pointer": {
      const target = btf.kind(type.target);
      return go(type.target, target === "array" || target === "prototype" ? `(*${inner})` : `*${inner}`);
    }
    case "const":
    case "volatile":
    case "restrict": {
      // A qualified pointer carries the word after its asterisk.
      if (btf.kind(type.target) === "pointer") {
        return go(type.target, inner === "" ? ` ${type.kind}` : ` ${type.kind} ${inner}`);
      }
      return `${type.kind} ${go(type.target, inner)}`;
    }
    case "type tag":
      return go(type.target, inner);
    case "array":
      return go(type.element, `${inner}[${type.length}]`);
    case "prototype": {
      const parameters = type.parameters
        .slice(0, MAX_PARAMETERS)
        .map((parameter, i) =>
          parameter.type === 0 && i === type.parameters.length - 1 ? "..." : go(parameter.type, ""),
        );
      return go(type.result, `${inner}(${parameters.join(", ")})`);
    }
    case "function":
      return go(type.prototype, type.name);
    case "variable":
      return go(type.type, type.name);
    case "section":
      return named(`section ${type.name}`);
    case "declaration tag":
      return named(`tag ${type.name}`);
  }
}

function contents(btf: Btf, id: TypeId, go: (target: TypeId, around: string) => string): string {
  const type = btf.type(id);
  const parts: string[] = [];
  let length = 0;
  const add = (text: string): boolean => {
    parts.push(text);
    length += text.length;
    return length < MAX_LENGTH;
  };
  if (type.kind === "enum") {
    for (const { name, value } of type.values) {
      if (!add(`${name} = ${value}`)) break;
    }
    return parts.join(", ");
  }
  if (type.kind === "struct" || type.kind === "union") {
    for (const member of type.members) {
      const field = member.bitFieldSize === 0 ? "" : `:${member.bitFieldSize}`;
      if (!add(`${go(member.type, member.name)}${field};`)) break;
    }
  }
  return parts.join(" ");
}
