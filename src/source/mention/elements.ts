/** A header as it is written, cut into what it defines and declares, each with the conditions that it is under. */
import { cutChunks } from "../reach/chunks.ts";
import { type Token, tokensOf } from "../reach/tokens.ts";

/** One thing in a header. Its text is whole: two of equal context and text, of one kind, are the same. */
export type Element = {
  /** The directives of conditions that it is in, a line each, the outermost first. */
  readonly context: string;
  /** These conditions by number, which tells apart two that are written alike. */
  readonly within: readonly number[];
  readonly text: string;
} & (
  | { readonly kind: "macro"; readonly name: string }
  /** `code`: the text without directives; undefined where these do not divide it into whole members. */
  | { readonly kind: "code"; readonly code: string | undefined }
  | { readonly kind: "directive" }
);

/** @param plain see `plainText`; undefined where the text is not understood */
export function elementsOf(plain: Uint8Array): Element[] | undefined {
  const chunks = cutChunks(plain);
  if (chunks === undefined) return undefined;
  const elements: Element[] = [];
  const conditions = new Conditions();
  for (let i = 0; i < chunks.count; i++) {
    const text = chunks.text(i);
    if (!text.startsWith("#")) elements.push(...codeElements(text, conditions));
    else if (!conditions.enter(text)) elements.push(directiveElement(text, conditions));
    else if (conditions.within.length > DEEPEST) return undefined;
  }
  return conditions.within.length === 0 ? elements : undefined;
}

const DEEPEST = 100;

/** What holds at a place. */
type Under = Pick<Element, "context" | "within">;

/** The conditions that hold, while a text is gone through. */
class Conditions implements Under {
  #next = 0;
  readonly #lines: string[] = [];
  readonly #numbers: number[] = [];

  get context(): string {
    return this.#lines.join("\n");
  }

  get within(): readonly number[] {
    return [...this.#numbers];
  }

  /** Whether a directive is one of a condition; then it is followed. */
  enter(line: string): boolean {
    const [, word = ""] = /^#\s*(\w*)/.exec(line) ?? [];
    const written = line.trimEnd().replace(/\s+/g, " ");
    switch (word) {
      case "if":
      case "ifdef":
      case "ifndef":
        this.#open(written);
        return true;
      case "elif":
      case "elifdef":
      case "elifndef":
      case "else":
        this.#numbers.pop();
        this.#open(`${this.#lines.pop() ?? ""} ${written}`);
        return true;
      case "endif":
        this.#lines.pop();
        this.#numbers.pop();
        return true;
      default:
        return false;
    }
  }

  #open(line: string): void {
    this.#lines.push(line);
    this.#numbers.push(this.#next++);
  }
}

function directiveElement(line: string, { context, within }: Under): Element {
  const [, name] = /^#\s*(?:define|undef)\s+([A-Za-z_$\x80-\xff][\w$\x80-\xff]*)/.exec(line) ?? [];
  const text = line.trimEnd();
  const place = { context, within, text };
  return name === undefined ? { kind: "directive", ...place } : { kind: "macro", ...place, name };
}

/** The code, and the macros that are defined within it. */
function codeElements(text: string, conditions: Conditions): Element[] {
  const { context, within } = conditions;
  if (!text.includes("\n#")) return [{ kind: "code", context, within, text, code: text }];
  const directives: Element[] = [];
  const code: string[] = [];
  let depth = 0;
  let last: Token | undefined;
  let isWhole = true;
  for (const token of tokensOf(text)) {
    if (token.kind !== "pragma") {
      if (token.kind === "sign" && /[([{]/.test(token.text)) depth++;
      if (token.kind === "sign" && /[)\]}]/.test(token.text)) depth--;
      code.push(token.text);
      last = token;
    } else if (conditions.enter(token.text)) isWhole &&= depth > 0 && last?.kind === "sign" && /[{};,]/.test(last.text);
    else {
      const element = directiveElement(token.text, conditions);
      directives.push(element);
      if (element.kind !== "macro") isWhole = false;
    }
  }
  isWhole &&= conditions.within.join() === within.join();
  return [{ kind: "code", context, within, text, code: isWhole ? code.join(" ") : undefined }, ...directives];
}
