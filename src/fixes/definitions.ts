/**
 * What stands at the top of a C or C++ file as it is written, before the preprocessor:
 * which lines each definition has, and which names it brings. It is for telling what
 * two patches have in common, so where it is in doubt a definition is larger than it
 * is, and has more names.
 */

/** A function, a type with its members, a variable, a macro. Lines count from 0; `end` is not of it. */
export interface Definition {
  readonly kind: "function" | "type" | "macro" | "other";
  readonly start: number;
  readonly end: number;
  /** The function's; the type's tags and typedef names; the variable's. */
  readonly names: readonly string[];
  /** Names alone in this file. */
  readonly isStatic: boolean;
}

const WORD = /[A-Za-z_]\w*/g;

/** In the order of the file; lines that are of none are between two. */
export function definitionsIn(text: string): Definition[] {
  const lines = withoutComments(text).split("\n");
  const found: Definition[] = [];
  let start: number | undefined;
  let depth = 0;
  let parentheses = 0;
  const end = (line: number): void => {
    if (start !== undefined) found.push(definition(lines.slice(start, line + 1).join("\n"), start, line + 1));
    start = undefined;
    depth = 0;
    parentheses = 0;
  };
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (/^\s*#/.test(line)) {
      const first = i;
      while (lines[i]?.endsWith("\\") === true) i++;
      const name = /^\s*#\s*define\s+(\w+)/.exec(line)?.[1];
      if (name !== undefined)
        found.push({ kind: "macro", start: first, end: Math.min(i + 1, lines.length), names: [name], isStatic: false });
      continue;
    }
    // What the branches of an #if have opened twice is closed by what stands at a line's start.
    if (line.startsWith("}")) depth = Math.min(depth, 1);
    if (start === undefined && line.trim() === "") continue;
    start ??= i;
    for (const sign of line.matchAll(/[{}();]/g)) {
      if (sign[0] === "{") depth++;
      else if (sign[0] === "}") depth = Math.max(0, depth - 1);
      else if (sign[0] === "(") parentheses++;
      else if (sign[0] === ")") parentheses = Math.max(0, parentheses - 1);
      const isEnd =
        depth === 0 && (sign[0] === ";" ? parentheses === 0 : sign[0] === "}" && isFunction(lines, start, i));
      if (!isEnd) continue;
      end(i);
      break;
    }
  }
  end(lines.length - 1);
  return found;
}

/** Whether what a line's brace closes was a function's body: its brace stood behind parentheses. */
function isFunction(lines: readonly string[], start: number, line: number): boolean {
  return isFunctionHead(lines.slice(start, line + 1).join("\n"));
}

function isFunctionHead(text: string): boolean {
  const brace = text.indexOf("{");
  const head = brace < 0 ? text : text.slice(0, brace);
  return (
    /\)[^=;]*$/.test(head) &&
    !/=\s*$/.test(head) &&
    !/^\s*(typedef\s+)?(struct|union|enum)\s+\w*\s*$/.test(head.split("(")[0] ?? "")
  );
}

function definition(text: string, start: number, end: number): Definition {
  const isStatic = /^[^{]*\bstatic\b/.test(text);
  const brace = text.indexOf("{");
  if (brace >= 0 && isFunctionHead(text))
    return { kind: "function", start, end, names: functionNames(text.slice(0, brace)), isStatic };
  if (/^\s*(typedef\b|(const\s+|static\s+|extern\s+)*(struct|union|enum|class)\b)[^;=(]*\{/.test(text))
    return { kind: "type", start, end, names: typeNames(text), isStatic: false };
  return { kind: "other", start, end, names: declared(text), isStatic };
}

/** What stands before parentheses in a function's head and is not its name. */
const ATTRIBUTES = new Set(
  "__attribute__ __attribute __declspec __printf __scanf __acquires __releases __must_hold __cond_acquires __aligned __section __alloc_size __nonnull __asm__ asm alignas noexcept throw decltype".split(
    " ",
  ),
);

/** `name(`; of a macro that defines one, as SYSCALL_DEFINE3(name, …), what stands in its parentheses too. */
function functionNames(head: string): string[] {
  const found: string[] = [];
  let depth = 0;
  for (const [word, name] of head.matchAll(/([A-Za-z_][\w:~]*)\s*\(|[()]/g)) {
    if (word === ")") depth = Math.max(0, depth - 1);
    else {
      const own = name?.split("::").at(-1);
      if (depth === 0 && own !== undefined && !ATTRIBUTES.has(own)) found.push(own);
      depth++;
    }
  }
  const [name] = found;
  if (name === undefined || !/^[A-Z0-9_]+$/.test(name)) return [...new Set(found)];
  const within = head.slice(head.indexOf(name) + name.length).match(WORD)?.[0];
  return [...new Set([...found, ...(within === undefined ? [] : [within])])];
}

function typeNames(text: string): string[] {
  const tags = [...text.matchAll(/\b(?:struct|union|enum|class)\s+([A-Za-z_]\w*)\s*\{/g)].map(
    ([, tag]) => tag as string,
  );
  const behind = text.slice(text.lastIndexOf("}") + 1).match(WORD) ?? [];
  const enumerators = /\benum\b/.test(text) ? (text.slice(text.indexOf("{")).match(WORD) ?? []) : [];
  return [...new Set([...tags, ...behind, ...enumerators])];
}

/** Of `type name = …`, `type name(…);`, `type a, *b;`: all that may be a name. */
function declared(text: string): string[] {
  const head = text.split(/[={]/)[0] ?? "";
  const call = functionNames(head);
  if (call.length > 0) return call;
  const names = [...head.matchAll(/([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)*(?:[,;=]|$)/g)].map(([, name]) => name as string);
  return [...new Set(names)];
}

/** Comments and what stands in quotes become blanks; lines stay. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/g, (found) =>
    found.startsWith("/") ? found.replace(/[^\n]/g, " ") : `""${found.slice(2).replace(/[^\n]/g, " ")}`,
  );
}
