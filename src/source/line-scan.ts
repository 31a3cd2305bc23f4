/** Where in a C file a preprocessor directive of its own can stand. */

/** What is known at the start of a line. */
export interface LineState {
  /** Not within a comment, a directive, or anything in parentheses, which may be a macro's arguments. */
  readonly safe: boolean;
  /** How many #if the start of the line is inside of. */
  readonly conditions: number;
  /** The line is an #else, #elif or #endif, of the #if at that depth. */
  readonly endsBranchOf: number | undefined;
}

interface Condition {
  /** Open parentheses where it starts, and after its first branch. */
  readonly before: number;
  after: number | undefined;
}

/**
 * The state at the start of each line. Branches of an #if are taken to open and
 * close the same parentheses, the first one being right where they do not.
 */
export function scanLines(lines: readonly string[]): LineState[] {
  const states: LineState[] = [];
  const conditions: Condition[] = [];
  let parentheses = 0;
  let inComment = false;
  let goesOn: "directive" | "comment" | "code" | undefined;
  for (const line of lines) {
    const isDirective = !inComment && goesOn === undefined && /^\s*#/.test(line);
    const branch = isDirective
      ? /^\s*#\s*(if|ifdef|ifndef|elif|elifdef|elifndef|else|endif)\b/.exec(line)?.[1]
      : undefined;
    const endsBranch = branch !== undefined && !branch.startsWith("if");
    states.push({
      safe: !inComment && goesOn === undefined && parentheses === 0,
      conditions: conditions.length,
      endsBranchOf: endsBranch ? conditions.length : undefined,
    });
    if (branch?.startsWith("if") === true) conditions.push({ before: parentheses, after: undefined });
    else if (endsBranch) {
      const condition = conditions.at(-1);
      if (condition !== undefined) {
        condition.after ??= parentheses;
        parentheses = branch === "endif" ? condition.after : condition.before;
      }
      if (branch === "endif") conditions.pop();
    }
    // By the kernel's style this ends a function, so a count that went wrong is right again.
    if (!inComment && goesOn === undefined && line.startsWith("}")) parentheses = 0;
    const scanned = scanLine(line, inComment, goesOn === "comment");
    inComment = scanned.inComment;
    const inDirective = isDirective || goesOn === "directive";
    if (!inDirective) parentheses = Math.max(0, parentheses + scanned.parentheses);
    if (!line.endsWith("\\")) goesOn = undefined;
    else if (inDirective) goesOn = "directive";
    else goesOn = scanned.inLineComment ? "comment" : "code";
  }
  return states;
}

interface Scanned {
  readonly inComment: boolean;
  readonly inLineComment: boolean;
  /** Opened less closed. */
  readonly parentheses: number;
}

/** What a line of code matters for: its comments, strings and parentheses. */
const TOKENS = /\/\*|\/\/|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[()]/g;

function scanLine(line: string, startsInComment: boolean, startsInLineComment: boolean): Scanned {
  if (startsInLineComment) return { inComment: false, inLineComment: true, parentheses: 0 };
  let parentheses = 0;
  let at = 0;
  if (startsInComment) {
    const end = line.indexOf("*/");
    if (end < 0) return { inComment: true, inLineComment: false, parentheses };
    at = end + 2;
  }
  TOKENS.lastIndex = at;
  for (let token = TOKENS.exec(line); token !== null; token = TOKENS.exec(line)) {
    if (token[0] === "(") parentheses++;
    else if (token[0] === ")") parentheses--;
    else if (token[0] === "//") return { inComment: false, inLineComment: true, parentheses };
    else if (token[0] === "/*") {
      const end = line.indexOf("*/", token.index + 2);
      if (end < 0) return { inComment: true, inLineComment: false, parentheses };
      TOKENS.lastIndex = end + 2;
    }
  }
  return { inComment: false, inLineComment: false, parentheses };
}
