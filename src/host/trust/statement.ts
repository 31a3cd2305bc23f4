/**
 * A signature file, `FILE.sig`: lines of text that say what was signed, then the signature of
 * these lines and of the file itself. docs/signatures.md has the format. There is one way to
 * write each, so that no byte of it can be another one.
 */
import { isWord, type LivepatchIdentity } from "./livepatch-identity.ts";

/** What whoever signed says. */
export interface Statement extends Omit<LivepatchIdentity, "kind"> {
  /** Of the key that signed. */
  readonly key: string;
  /** Bytes of the livepatch file. */
  readonly size: number;
  /** Of the livepatch file, 64 hexadecimal digits. */
  readonly sha256: string;
  /** One line, or undefined. */
  readonly comment: string | undefined;
}

/** A signature file that was read; nothing of it is proved. */
export interface SignatureFile {
  readonly statement: Statement;
  /** All of the file before the last line: what was signed begins with it, and goes on with the livepatch file. */
  readonly text: Buffer;
  /** 64 bytes. */
  readonly signature: Buffer;
}

/** Of the format. docs/versions.md says when it is raised. */
const SIGNATURE_VERSION = 1;
/** A signature file of more bytes than this is none. */
export const MAX_SIGNATURE_BYTES = 64 << 10;
const FIRST_WORDS = "suture signature ";
const MAX_COMMENT = 200;

/** The lines before the signature. Throws nothing; `isComment` tells which comment may stand in it. */
export function statementText({ key, name, targets, version, size, sha256, comment }: Statement): Buffer {
  const lines = [
    `${FIRST_WORDS}${SIGNATURE_VERSION}`,
    `key ${key}`,
    `name ${name}`,
    ...targets.map((target) => `for ${target}`),
    `version ${version}`,
    `size ${size}`,
    `sha256 ${sha256}`,
    ...(comment === undefined ? [] : [`comment ${comment}`]),
  ];
  return Buffer.from(lines.map((line) => `${line}\n`).join(""));
}

/** The last line. */
export function signatureLine(signature: Buffer): Buffer {
  return Buffer.from(`signature ${signature.toString("base64")}\n`);
}

/** Whether it can stand in a statement: one line, with nothing that a terminal would take for a command. */
export function isComment(text: string): boolean {
  return text.length <= MAX_COMMENT && text === text.trim() && /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(text);
}

/** `newer`: of a version that is not known. `malformed`: what is wrong, the end of a sentence. */
export type ParsedSignature =
  | { readonly kind: "signature"; readonly file: SignatureFile }
  | { readonly kind: "newer"; readonly version: number }
  | { readonly kind: "malformed"; readonly why: string };

/** Reads what may be anything, of any length. */
export function parseSignature(data: Buffer): ParsedSignature {
  if (data.length > MAX_SIGNATURE_BYTES) return malformed(`it has more than ${MAX_SIGNATURE_BYTES} bytes`);
  const whole = data.toString("utf8");
  const version = Number(new RegExp(`^${FIRST_WORDS}([1-9][0-9]{0,5})\n`).exec(whole)?.[1] ?? Number.NaN);
  if (Number.isNaN(version)) return malformed(`its first line is not ${FIRST_WORDS}${SIGNATURE_VERSION}`);
  if (version > SIGNATURE_VERSION) return { kind: "newer", version };
  const lines = new Lines(whole.slice(whole.indexOf("\n") + 1));
  const statement: Statement = {
    key: lines.take("key", DIGEST),
    name: lines.take("name", isWord),
    targets: lines.takeAll("for", isTarget),
    version: lines.takeNumber("version"),
    size: lines.takeNumber("size"),
    sha256: lines.take("sha256", DIGEST),
    comment: lines.takeMaybe("comment", isComment),
  };
  const signature = Buffer.from(lines.take("signature", SIGNATURE), "base64");
  const { fault = lines.end() } = lines;
  if (fault !== undefined) return malformed(fault);
  const text = statementText(statement);
  // Whatever the readers above let pass, there is one way to write it.
  if (!Buffer.concat([text, signatureLine(signature)]).equals(data)) return malformed("it is not as it is written");
  return { kind: "signature", file: { statement, text, signature } };
}

const DIGEST = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
const SIGNATURE = (text: string): boolean => /^[A-Za-z0-9+/]{86}==$/.test(text);

function isTarget(text: string): boolean {
  const [kind, ...words] = text.split(" ");
  return /^(kernel|program)$/.test(kind ?? "") && [1, 2].includes(words.length) && words.every(isWord);
}

function malformed(why: string): ParsedSignature {
  return { kind: "malformed", why };
}

/** Lines `NAME VALUE` in their order. The first fault is kept, and what is read behind it means nothing. */
class Lines {
  readonly #lines: string[];
  fault: string | undefined;

  constructor(text: string) {
    this.#lines = text.split("\n");
  }

  take(name: string, isValue: (text: string) => boolean): string {
    const value = this.takeMaybe(name, isValue);
    if (value === undefined) this.fault ??= `where the line ${name} has to be it has something else`;
    return value ?? "";
  }

  takeNumber(name: string): number {
    return Number(this.take(name, (text) => /^(0|[1-9][0-9]{0,14})$/.test(text)));
  }

  takeAll(name: string, isValue: (text: string) => boolean): string[] {
    const values = [this.take(name, isValue)];
    for (;;) {
      const value = this.takeMaybe(name, isValue);
      if (value === undefined) return values;
      values.push(value);
    }
  }

  takeMaybe(name: string, isValue: (text: string) => boolean): string | undefined {
    const line = this.#lines[0];
    if (line?.startsWith(`${name} `) !== true) return undefined;
    this.#lines.shift();
    const value = line.slice(name.length + 1);
    if (!isValue(value)) this.fault ??= `its line ${name} has what cannot stand there`;
    return value;
  }

  /** What is wrong with the end, where anything is: the last line ends with a newline. */
  end(): string | undefined {
    return this.#lines.length === 1 && this.#lines[0] === "" ? undefined : "it goes on behind the signature";
  }
}
