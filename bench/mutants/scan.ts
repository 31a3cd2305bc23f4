/** A light look at C: where the functions, variables and structs of a file are. It need not find all of them. */

export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface FoundFunction extends Range {
  readonly name: string;
  readonly isStatic: boolean;
  /** A macro with arguments stands where its name and parameters would: SYSCALL_DEFINE3(name, …). */
  readonly isMacro: boolean;
  /** Its text before the body. */
  readonly head: string;
  /** Between the braces. */
  readonly body: Range;
}

export interface FoundVariable extends Range {
  readonly name: string;
  readonly isConst: boolean;
  readonly isStatic: boolean;
  /** Behind the `=`; undefined where it has no initial value. */
  readonly value: Range | undefined;
}

export interface FoundStruct extends Range {
  readonly name: string;
  readonly body: Range;
}

export interface Scan {
  readonly text: string;
  /** The same length as the text, with comments, strings, characters and directives as spaces. */
  readonly code: string;
  readonly functions: readonly FoundFunction[];
  readonly variables: readonly FoundVariable[];
  readonly structs: readonly FoundStruct[];
  /** Behind the last #include that no condition surrounds. */
  readonly afterIncludes: number;
}

export function scan(text: string): Scan {
  const code = blanked(text);
  const functions: FoundFunction[] = [];
  const variables: FoundVariable[] = [];
  const structs: FoundStruct[] = [];
  for (const piece of pieces(code)) {
    const raw = code.slice(piece.from, piece.to);
    const lead = raw.length - raw.trimStart().length;
    const from = piece.from + lead;
    const open = code.indexOf("{", from);
    const hasBody = open >= 0 && open < piece.to;
    const head = code.slice(from, hasBody ? open : piece.to);
    const called = nameOf(head);
    if (
      hasBody &&
      code[piece.to - 1] === "}" &&
      called !== undefined &&
      !/\b(struct|union|enum)\s+\w*\s*$/.test(head)
    ) {
      const name = called;
      const macro = /^[A-Z_0-9]+$/.test(name) ? /\(\s*(\w+)/.exec(head) : undefined;
      if (macro === null || NO_FUNCTION.test(name)) continue;
      functions.push({
        name: macro?.[1] ?? name,
        isMacro: macro !== undefined,
        isStatic: /\bstatic\b/.test(head),
        head: text.slice(from, open),
        body: { from: open + 1, to: piece.to - 1 },
        from,
        to: piece.to,
      });
      continue;
    }
    const struct = /^struct\s+(\w+)\s*$/.exec(head);
    if (hasBody && struct !== null) {
      structs.push({
        name: struct[1] as string,
        body: { from: open + 1, to: code.lastIndexOf("}", piece.to) },
        from,
        to: piece.to,
      });
      continue;
    }
    const equals = code.indexOf("=", from);
    const hasValue = equals >= 0 && equals < piece.to && (!hasBody || equals < open);
    const declared = code.slice(from, hasValue ? equals : piece.to - 1);
    const variable =
      declared.length < LONGEST_DECLARATION &&
      /^(?:static\s+)?(?:const\s+)?(?:struct\s+\w+|unsigned\s+\w+|\w+)\s+(?:const\s+)?\**\s*(?:const\s+)?(\w+)\s*(?:\[[^\]]*\]\s*)*(?:__\w+\s*)*$/.exec(
        declared,
      );
    if (variable === null || variable === false || /^(typedef|extern|return|goto|enum|union)\b/.test(declared))
      continue;
    variables.push({
      name: variable[1] as string,
      isConst: /\bconst\b/.test(declared),
      isStatic: /^static\b/.test(declared),
      value: hasValue ? { from: equals + 1, to: piece.to - 1 } : undefined,
      from,
      to: piece.to,
    });
  }
  return { text, code, functions, variables, structs, afterIncludes: afterIncludes(text) };
}

const LONGEST_DECLARATION = 300;

/** The name before the parameters, with which a function's head ends. */
function nameOf(head: string): string | undefined {
  const text = head.trimEnd();
  if (!text.endsWith(")") || /[;={}]/.test(text)) return undefined;
  let open = text.length;
  for (let depth = 0; open-- > 0; ) {
    if (text[open] === ")") depth++;
    else if (text[open] === "(" && --depth === 0) break;
  }
  const before = text.slice(0, Math.max(0, open)).replace(/\w+\s*\([^()]*\)/g, "");
  return /^[\w*\s]*$/.test(before) ? /(\w+)\s*$/.exec(before)?.[1] : undefined;
}

/** Macros that look like functions, with a body that is none. */
const NO_FUNCTION = /^(TRACE_EVENT|DECLARE_EVENT|DEFINE_EVENT|TP_|UNWIND|asm)/;

/** What is at file level, each up to its `;` or closing brace. */
function* pieces(code: string): Generator<Range> {
  let depth = 0;
  let from = 0;
  let isInitializer = false;
  for (let at = 0; at < code.length; at++) {
    const letter = code[at];
    if (letter === "{" || letter === "(") depth++;
    else if (letter === "}" || letter === ")") depth--;
    else if (letter === "=" && depth === 0) isInitializer = true;
    if (depth !== 0) continue;
    const ends =
      letter === ";" ||
      (letter === "}" && !isInitializer && !/^\s*(struct|union|enum|typedef)\b/.test(code.slice(from, at)));
    const endsStruct =
      letter === "}" && /^\s*struct\s+\w+\s*\{/.test(code.slice(from, at)) && /^\s*;/.test(code.slice(at + 1));
    if (endsStruct) continue;
    if (!ends) continue;
    yield { from, to: at + 1 };
    from = at + 1;
    isInitializer = false;
  }
}

function blanked(text: string): string {
  const spaces = (all: string) => all.replace(/[^\n]/g, " ");
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|^[ \t]*#(?:[^\n\\]|\\[\s\S])*/gm,
    spaces,
  );
}

function afterIncludes(text: string): number {
  // What keeps a header from being read twice is no condition of its contents.
  const [first, second] = [...text.matchAll(/^[ \t]*#[ \t]*(\w+)[ \t]+(\w+)[^\n]*\n/gm)];
  const isGuard = first?.[1] === "ifndef" && second?.[1] === "define" && first[2] === second[2];
  let depth = isGuard ? -1 : 0;
  let found = isGuard ? second.index + second[0].length : 0;
  for (const match of text.matchAll(/^[ \t]*#[ \t]*(if|ifdef|ifndef|endif|include)\b.*\n/gm)) {
    if (match[1] === "endif") depth--;
    else if (match[1] !== "include") depth++;
    else if (depth === 0) found = match.index + match[0].length;
  }
  return found;
}
