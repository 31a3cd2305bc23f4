/** The livepatch's own functions beside those that the patched source compiles to. */
import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import type { ElfFile } from "../elf/model.ts";
import type { AuditFinding } from "./account.ts";
import { type Comparison, sideOf } from "./compare.ts";
import { contentsOf } from "./contents.ts";
import type { LineNumbers } from "./line-numbers.ts";
import {
  isCounted,
  nameIn,
  plainName,
  type RunningSymbol,
  runningName,
  runningSymbol,
  sameButForLines,
  wholeOf,
} from "./names.ts";
import { isStrings, isWritable, type Named, type Place, type PlainObject } from "./plain-object.ts";
import type { RunningBytes } from "./running-bytes.ts";
import { type LackRule, type PlaceRule, type Reason, Sameness, said } from "./same.ts";
import { stringAt } from "./strings.ts";

/** A compared unit as the source of code that the livepatch may have. */
export interface ComparedUnit {
  readonly source: string;
  /** `vmlinux` or modules that it is part of; left out where that is not known. */
  readonly objects?: readonly string[];
  readonly comparison: Comparison;
  readonly lines: LineNumbers;
  /** The livepatch's functions that it stands for, where not all. */
  readonly only?: ReadonlySet<string> | undefined;
}

/**
 * A livepatch as a file of code, with what has to be known of the running object to
 * tell whether its places are the right ones.
 */
export interface LivepatchCode {
  readonly file: ElfFile;
  /** All objects that it speaks of. */
  readonly objects: ReadonlySet<string>;
  /** Whether it overwrites anything of a constant of the running object. */
  writes(name: string): boolean;
  /** What the running object has at its symbols, as it was shipped. */
  readonly running: RunningBytes;
  /** Whether it says that a tracepoint stays off in new code of a unit. @param key symbol of the tracepoint */
  isOff(source: string, key: string): boolean;
  /** Functions that it adds beside those of the source: the module's own, and what switches functions without a hook. */
  readonly own: ReadonlySet<string>;
}

/** Callbacks that set a module's exit function to its new version and back, one pair a module. */
const EXIT_SWITCH = /^suture_exit_(patched|original)_/;

/** How the name begins of what objtool puts before a function. */
const PADDING = /^__pfx_/;

/** With the pieces that the compiler splits from them, and the padding that objtool puts before each. */
function isOwn(symbol: string, { own }: Pick<LivepatchCode, "own">): boolean {
  const name = symbol.replace(PADDING, "");
  if (EXIT_SWITCH.test(name)) return true;
  return own.has(name) || own.has(name.slice(0, Math.max(0, name.indexOf("."))));
}

/** Names of the livepatch's functions that stand for the patched source's. */
export function codeNames({ file, own }: LivepatchCode): ReadonlySet<string> {
  const functions = sideOf(file, {}).object.named.filter(({ kind }) => kind === "function");
  return new Set(
    functions
      .map(({ name }) => name)
      .filter((name) => !isOwn(name, { own }))
      .flatMap((name) => [name, nameIn(name), plainName(name)]),
  );
}

/**
 * Finds the livepatch's functions and variables of which no unit's patched object has
 * the same, `other-code` each. What the livepatch adds of its own (`own`) is not looked
 * at. `sizes` as for `compareObjects`.
 */
export function codeFindings(
  livepatch: LivepatchCode,
  units: readonly ComparedUnit[],
  sizes: KernelLayouts["entrySizes"],
): AuditFinding[] {
  const side = sideOf(livepatch.file, sizes);
  const findings: AuditFinding[] = [];
  for (const mine of side.object.named) {
    if (isOwn(mine.name, livepatch)) continue;
    const tried = units.flatMap((unit) => {
      if (unit.only?.has(plainName(mine.name.replace(PADDING, ""))) === false) return [];
      const { patched } = unit.comparison;
      return patched.object.named
        .filter(({ kind, name }) => kind === mine.kind && isNamedSo(mine.name, name, unit.lines))
        .map((other) => {
          const same = new Sameness(side, patched, unit.lines, {
            place: ruleFor(livepatch, unit),
            mayLack: lackRuleFor(livepatch, unit.source),
          });
          const reason = mine.kind === "function" ? same.functions(mine, other) : variableReason(same, mine, other);
          return { source: unit.source, reason };
        });
    });
    if (tried.some(({ reason }) => reason === undefined)) continue;
    const [first] = tried;
    // Variables that no unit has are what the livepatch is made of.
    if (first === undefined && mine.kind === "object") continue;
    const name = `${mine.kind === "function" ? "function" : "variable"} ${plainName(mine.name)}`;
    const what =
      first === undefined
        ? `the livepatch's ${name} is in no unit that the diff changes`
        : `the livepatch's ${name} is not the one of ${first.source}: ${first.reason}`;
    const source = first?.source ?? "";
    findings.push({ source, kind: "other-code", name: plainName(mine.name), section: mine.section.name, what });
  }
  return findings;
}

/** Numbers of types are filled in when the kernel is linked, and in a livepatch by its build. */
function variableReason(same: Sameness, mine: Named, other: Named): Reason {
  if (other.section.name !== ".BTF_ids") return same.variables(mine, other);
  const size = other.end - other.start;
  return mine.end - mine.start === size ? undefined : `it has ${mine.end - mine.start} bytes instead of ${size}`;
}

/**
 * A place of the livepatch is the patched object's if it is bound to what runs
 * under that name and is the same there, or if the livepatch brings what lies there.
 */
function ruleFor({ objects, running, writes }: LivepatchCode, { comparison, lines }: ComparedUnit): PlaceRule {
  const changed = new Map(comparison.differences.map((each) => [each.name, each] as const));
  const originals = new Map(comparison.original.object.named.map((each) => [each.name, each] as const));
  const counted = new Set(comparison.original.object.named.map(({ name }) => plainName(name)));
  const isOfOriginal = (name: string): boolean =>
    originals.has(name) || [...originals.keys()].some((each) => sameButForLines(each, name, lines));
  return (a, b, kind) => {
    // Nobody looks at the address of what has no bytes.
    const isEmpty = b.kind !== "elsewhere" && (b.mayBeEmpty || (b.kind === "named" && isEmptyKey(b.named)));
    if (a.kind === "elsewhere" && a.name === "" && isEmpty) return { reason: undefined };
    if (a.kind !== "elsewhere" && b.kind !== "elsewhere" && a.mayBeEmpty && b.mayBeEmpty) return { reason: undefined };
    if (a.kind === "elsewhere") {
      const symbol = runningSymbol(a.name, objects) ?? { object: undefined, name: a.name };
      const { name } = symbol;
      if (b.kind === "elsewhere") return sameName(name, a.offset, b.name, b.offset);
      if (b.mayBeEmpty && comparison.patched.object.hasEmpty(name)) return { reason: undefined };
      if (isBesideThere(name, a.offset, b, comparison.patched.object)) return { reason: undefined };
      if (b.kind === "anonymous")
        return sameLiteral({ symbol, offset: a.offset, running }, b, comparison.patched.object, lines);
      const isIt = isNamedSo(name, b.named.name, lines) && a.offset === b.offset;
      if (!isIt) return { reason: `${name} instead of ${said(b)}` };
      const difference = changed.get(originals.has(name) ? name : b.named.name);
      const isOther = difference?.of === "variable" && difference.kind === "changed" && !isWritable(b.named.section);
      // Of those that the compiler counts the running one may be paired with another, and hold what is wanted.
      const holds =
        isCounted(name) &&
        hasSameBytes(originals.get(name), comparison.original.object, b.named, comparison.patched.object);
      if (isOther && !holds && !writes(name))
        return { reason: `the running ${name}, whose contents are not the patched ones` };
      return { reason: undefined };
    }
    if (b.kind !== "named") return undefined;
    return ownPlace(a, b, kind, { isOfOriginal, counted, lines });
  };
}

/** A lock's class where locks are not watched: clang gives a variable without bytes one byte, where it has no section of its own. */
function isEmptyKey({ name, start, end, section, isGlobal }: Named): boolean {
  return /^\w+\.__(lock_)?key(\.\d+)?$/.test(name) && end - start === 1 && section.name === ".bss" && !isGlobal;
}

/** Whether both are the same plain bytes, with no address in them. */
function hasSameBytes(a: Named | undefined, ofA: PlainObject, b: Named, ofB: PlainObject): boolean {
  if (a === undefined || a.end - a.start !== b.end - b.start) return false;
  const isPlain = (named: Named, of: PlainObject) => of.fieldsIn(named.section, named.start, named.end).length === 0;
  const bytes = ({ section, start, end }: Named) => contentsOf(section, start, end - start);
  return isPlain(a, ofA) && isPlain(b, ofB) && bytes(a).equals(bytes(b));
}

/**
 * What the module loader cannot bind in time has no entry. A tracepoint's branch
 * is then never made, which its user is told of: it is an instruction that does
 * nothing. A static call goes on through its trampoline, which the kernel keeps
 * up to date.
 */
function lackRuleFor({ isOff }: LivepatchCode, source: string): LackRule {
  return ({ table, fields }, object, { isFiller, references }) => {
    const field = fields.at(-1);
    const place = field && object.placeOf(field);
    const key = place?.kind === "elsewhere" ? place.name : place?.kind === "named" ? place.named.name : "";
    if (table === "__jump_table") return isFiller && key.startsWith("__tracepoint_") && isOff(source, key);
    if (table !== ".static_call_sites" || !key.startsWith(STATIC_KEY)) return false;
    const trampoline = `${STATIC_TRAMPOLINE}${key.slice(STATIC_KEY.length)}`;
    return references.some(
      ({ kind, place: to }) =>
        kind === "branch" &&
        to.kind === "elsewhere" &&
        to.offset === 0 &&
        (runningName(to.name, []) ?? to.name) === trampoline,
    );
  };
}

const STATIC_KEY = "__SCK__";
const STATIC_TRAMPOLINE = "__SCT__";

function isNamedSo(built: string, patched: string, lines: LineNumbers): boolean {
  return plainName(built) === plainName(patched) || sameButForLines(built, patched, lines);
}

/** The place behind a variable that the running object has, or before it, is in the patched one where something else is, or nothing. */
function isBesideThere(
  name: string,
  offset: number,
  b: Exclude<Place, { kind: "elsewhere" }>,
  { named }: PlainObject,
): boolean {
  const [section, at] = b.kind === "named" ? [b.named.section, b.named.start + b.offset] : [b.section, b.offset];
  return named.some(
    (each) =>
      each.kind === "object" &&
      plainName(each.name) === plainName(name) &&
      each.section === section &&
      (offset < 0 || offset >= each.end - each.start) &&
      each.start + offset === at,
  );
}

function sameName(a: string, offsetA: number, b: string, offsetB: number): { reason: string | undefined } {
  return { reason: a === b && offsetA === offsetB ? undefined : `${a} instead of ${b}` };
}

/** A string or a constant that the running object has already, bound by its place there. */
function sameLiteral(
  {
    symbol,
    offset,
    running,
  }: { readonly symbol: RunningSymbol; readonly offset: number; readonly running: RunningBytes },
  { section, offset: at }: Place & { kind: "anonymous" },
  patched: PlainObject,
  lines: LineNumbers,
): { reason: string | undefined } {
  const end = patched.anonymousEnd(section, at);
  const wanted = isStrings(section) ? stringAt(section, at) : section.data.subarray(at, end);
  const isPlain = patched.fieldsIn(section, at, at + wanted.length).length === 0;
  if (isPlain && running(symbol, offset, wanted.length)?.equals(wanted) === true) return { reason: undefined };
  if (isStrings(section) && isSameText(running(symbol, offset, wanted.length + MOST_DIGITS), wanted, lines))
    return { reason: undefined };
  return { reason: `what runs at ${symbol.name}+${offset} instead of ${section.name}+${at}` };
}

/** A line number in a string may have more digits after the diff, or fewer. */
const MOST_DIGITS = 8;

function isSameText(found: Buffer | undefined, wanted: Buffer, lines: LineNumbers): boolean {
  const end = found?.indexOf(0) ?? -1;
  const text = wanted.toString("latin1").replace(/\0$/, "");
  return found !== undefined && end >= 0 && sameButForLines(found.toString("latin1", 0, end), text, lines);
}

interface OriginalNames {
  isOfOriginal(name: string): boolean;
  /** Without the compiler's numbers. */
  readonly counted: ReadonlySet<string>;
  readonly lines: LineNumbers;
}

/** What the livepatch itself has. */
function ownPlace(
  a: Exclude<Place, { kind: "elsewhere" }>,
  b: Place & { kind: "named" },
  kind: "branch" | "other",
  { isOfOriginal, counted, lines }: OriginalNames,
): { readonly reason: string | undefined } | undefined {
  const { named } = b;
  if (named.kind === "function") {
    if (a.kind === "named" && isNamedSo(a.named.name, named.name, lines)) {
      // A piece of a function goes with it, and is where it jumps.
      const isEntry = b.offset === 0 && wholeOf(named.name) === named.name;
      if (isEntry && kind === "other" && isOfOriginal(named.name))
        return { reason: `the address of the new ${named.name} in place of the running one's` };
      return undefined;
    }
    return { reason: `${said(a)} instead of ${said(b)}` };
  }
  const isLive = isWritable(named.section) && !/\.once/.test(named.section.name);
  if (isLive && !isCounted(named.name) && (isOfOriginal(named.name) || counted.has(plainName(named.name))))
    return { reason: `a ${named.name} of its own in place of the running one` };
  return undefined;
}
