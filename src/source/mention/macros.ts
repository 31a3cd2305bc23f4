/** The macros that a source defines, by its text alone: conditions do not count. */

/** One `#define`. */
export interface Macro {
  readonly name: string;
  /** undefined for one that takes none; what stands for all that is left over is `__VA_ARGS__`. */
  readonly parameters: readonly string[] | undefined;
  /** Its tokens, blanks between them left out. */
  readonly body: readonly string[];
}

const DEFINES = /^[^\S\n]*#[^\S\n]*define[^\S\n]+([A-Za-z_$\x80-\xff][\w$\x80-\xff]*)(?:\(([^)\n]*)\))?([^\n]*)$/gm;

/** Of a text whose lines are joined and that has no comments. */
export function macrosIn(plain: string): Macro[] {
  return [...plain.matchAll(DEFINES)].map(toMacro);
}

function toMacro([, name = "", parameters, body = ""]: RegExpExecArray): Macro {
  return {
    name,
    parameters: parameters?.split(",").map(toParameter),
    body: bodyTokens(body),
  };
}

/** `...` and, as GCC has it, `name...`. */
function toParameter(written: string): string {
  const name = written.trim();
  return name === "..." ? "__VA_ARGS__" : name.replace(/\s*\.\.\.$/, "");
}

const BODY_TOKEN =
  /##|[A-Za-z_$\x80-\xff][\w$\x80-\xff]*|\.?\d(?:[eEpP][+-]|[\w$.\x80-\xff])*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S/g;

/** Of a macro's body, or of any text between two directives. */
export function bodyTokens(text: string): readonly string[] {
  return text.match(BODY_TOKEN) ?? [];
}

/** Whether a token is an identifier. */
export function isWord(token: string | undefined): token is string {
  return token !== undefined && /^[A-Za-z_$\x80-\xff]/.test(token);
}

const OPENS: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Whether each bracket in it is closed in it. */
export function isBalanced(tokens: readonly string[]): boolean {
  const open: string[] = [];
  for (const token of tokens) {
    const closes = OPENS[token];
    if (closes !== undefined) open.push(closes);
    else if (/^[)\]}]$/.test(token) && open.pop() !== token) return false;
  }
  return open.length === 0;
}
