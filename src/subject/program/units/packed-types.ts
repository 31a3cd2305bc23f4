/**
 * Types that a diff makes packed, or packed no more, or whose bytes it turns round, by the text. Where a layout
 * stays the same by it, nothing that a compiler tells of types says so: new code would move such objects by
 * instructions that fault on those which lie anywhere, or read their members turned round.
 */
import { type Token, tokensOf } from "../../../source/reach/tokens.ts";
import { closing } from "../../../source/token-walk.ts";

/** `__attribute__((packed))`, and macros for it by their names, which have the word in them. */
const PACKED = /packed/i;
/** `__attribute__((scalar_storage_order("big-endian")))`: the members lie where they lay, with their bytes turned round. */
const ORDER = /^(__)?scalar_storage_order(__)?$/;
const PRAGMA = /^#\s*pragma\s+pack\s*\(([^)]*)\)/;
const TYPE = /^(struct|union|class)$/;
/** What may stand before a type's name, and is none. */
const ATTRIBUTE = /^(__attribute(__)?|alignas|_Alignas|__declspec|__extension__|final)$/;
const NOT_CODE = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;

/** Names of types that both texts define, and that are asked to be packed, or to have an order of bytes, in one alone. */
export function repackedTypes(original: string, patched: string): string[] {
  if (![original, patched].some((text) => PACKED.test(text) || /pragma\s+pack|scalar_storage_order/.test(text)))
    return [];
  const before = packings(original);
  return [...packings(patched)].flatMap(([name, after]) => {
    const was = before.get(name);
    return was === undefined || (was.size === after.size && [...was].every((each) => after.has(each))) ? [] : [name];
  });
}

/** What is asked of each type; a name may be defined several times, for several builds. */
function packings(text: string): Map<string, Set<string>> {
  const tokens = tokensOf(text.replace(NOT_CODE, (found) => (found.startsWith("/") ? " " : found)));
  const found = new Map<string, Set<string>>();
  const asked: string[] = [];
  for (const [at, { kind, text: word }] of tokens.entries()) {
    const pack = kind === "pragma" ? PRAGMA.exec(word)?.[1]?.replace(/\s/g, "") : undefined;
    if (pack !== undefined) {
      if (pack === "" || pack.startsWith("pop")) asked.pop();
      else asked.push(pack.replace(/^push,/, ""));
    }
    if (kind !== "word" || !TYPE.test(word)) continue;
    const type = definedAt(tokens, at);
    if (type === undefined) continue;
    const known = found.get(type.name) ?? new Set();
    found.set(type.name, known.add(`${type.asked} ${asked.at(-1) ?? ""}`));
  }
  return found;
}

/** The type whose definition begins with a keyword; undefined where it is only named. */
function definedAt(tokens: readonly Token[], keyword: number): { name: string; asked: string } | undefined {
  const opens = tokens.findIndex(({ text }, at) => at > keyword && /^[{;=*&]$/.test(text));
  if (tokens[opens]?.text !== "{") return undefined;
  const closes = closing(tokens, opens);
  const ends = tokens.findIndex(({ text }, at) => at > closes && text === ";");
  const head = tokens.slice(keyword + 1, opens);
  const tail = tokens.slice(closes + 1, ends < 0 ? undefined : ends);
  const name = namesIn(head)[0] ?? namesIn(tail).at(-1);
  if (name === undefined) return undefined;
  const asked = [...head, ...tail].flatMap(({ kind, text }, at, all) => {
    if (kind !== "word") return [];
    return ORDER.test(text) ? (all[at + 2]?.text ?? "") : PACKED.test(text) ? "packed" : [];
  });
  return { name, asked: [...new Set(asked)].sort().join(" ") };
}

/** Words outside of brackets that are no attributes. */
function namesIn(tokens: readonly Token[]): string[] {
  const names: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text } = tokens[at] as Token;
    if (text === "(" || text === "[") at = closing(tokens, at);
    else if (text === ":") break;
    else if (kind === "word" && !ATTRIBUTE.test(text) && !PACKED.test(text)) names.push(text);
  }
  return names;
}
