/** What names that gcc and the kernel's macros make up tell. */
import { type Atom, isCode } from "./unit.ts";

/** clang calls a static local by its function too, and a compound literal outside of functions so. */
const OF_CLANG = /^(?:\w+\.(\w+)|\.compoundliteral)$/;

/**
 * gcc numbers static locals and other unnamed objects: `state.3`, `CSWTCH.12`. clang numbers
 * all but the first of a name in its function: `f.state`, `f.state.3`. Which is the first
 * changes with the source, so that one without a number has no name that lasts either.
 */
export function numberedBase(name: string): string | undefined {
  const match = /^(.+?)\.\d+$/.exec(name);
  if (match !== null) return match[1];
  return OF_CLANG.test(name) ? name : undefined;
}

/** What the source calls a numbered object. */
function localName(base: string): string {
  return OF_CLANG.exec(base)?.[1] ?? base;
}

/** Without the numbers that gcc gives to clones: `f.constprop.1` → `f.constprop`. */
function cloneBase(name: string): string {
  return name.replace(/\.(constprop|isra|part|cold)\.\d+/g, ".$1");
}

/** Whether gcc has split it from a function as what is rarely run: it is entered by jumps from there alone. */
export function isCold(name: string): boolean {
  return /\.cold(\.\d+)?$/.test(name);
}

/**
 * Static locals made by compilers and macros whose contents are all there is to
 * them: a new version of a function brings its own. A name alone says nothing: it
 * can be anybody's.
 */
const CONSTANTS = /^(__func__|__FUNCTION__|__PRETTY_FUNCTION__|CSWTCH|\.LC\d*|C)$/;
/** Those of the kernel's macros: netlink's messages, the index of printk's, what names flags in trace events. */
const KERNEL_CONSTANTS = /^(__msg|_entry|__flags|symbols)$/;

/** Whether something was shown once: not whether it was done (`___done`), which lies in the same sections. Source: linux/once_lite.h. */
const SHOWN = /^(__already_done|__print_once|__warned)$/;
const SHOWN_SECTIONS = new Set([".data.once", ".data..once", ".data.unlikely"]);
/** Debug sites. Source: linux/dynamic_debug.h. */
const SITE_SECTIONS = new Set(["__dyndbg", "__verbose"]);

/** Bytes of a struct ratelimit_state, by which a message is held back: before 6.11, and since. */
const RATELIMITS = new Set([40, 32]);

/**
 * What the compiler's checks of behaviour that is not defined (-fsanitize=undefined) hand to the
 * kernel, where its file, line and column stand, and which types it is about: numbered anew in each
 * unit, so that it is what it holds. Source: gcc/ubsan.cc, the kernel's lib/ubsan.h.
 */
const CHECKS = /^\.data\.\.Lubsan_(data|type)\d+$/;
/** Bytes of a struct source_location that hold line and column. */
const LINE_AND_COLUMN = [8, 16] as const;

/** Whether it is one of these. */
export function isOfCheck({ section, anonymous }: Atom): boolean {
  return anonymous && section.environment === "kernel" && CHECKS.test(section.name);
}

/** Bytes of such an atom that are no difference, [from, to). */
export function ignoredOfCheck({ section }: Atom): readonly [number, number] {
  return CHECKS.exec(section.name)?.[1] === "data" ? LINE_AND_COLUMN : [0, 0];
}

/**
 * Whether a new version may bring this atom anew, though the running object has one,
 * since nothing is lost with that one's contents.
 */
export function isDisposable(atom: Atom): boolean {
  if (atom.kind !== "data" && atom.kind !== "constant") return false;
  if (isOfCheck(atom)) return true;
  const numbered = numberedBase(atom.name);
  const base = numbered === undefined ? undefined : localName(numbered);
  const { environment, name } = atom.section;
  if (base !== undefined && atom.kind === "constant" && CONSTANTS.test(base)) return true;
  if (environment === "program") return false;
  if (SITE_SECTIONS.has(name)) return true;
  if (base === undefined) return false;
  if (SHOWN_SECTIONS.has(name)) return SHOWN.test(base);
  if (atom.kind === "constant") return KERNEL_CONSTANTS.test(base);
  const size = atom.end - atom.start;
  // A lock's class is empty where nobody checks the order of locks.
  if (base === "__key" || base === "__lock_key") return size === 0;
  return base === "_rs" && name.startsWith(".data") && RATELIMITS.has(size);
}

/** What the compiler makes of an object's name for a section of its own is no part of what the section is. */
function sectionStem({ name, section }: Atom): string {
  return section.name.endsWith(`.${name}`) ? section.name.slice(0, -name.length - 1) : section.name;
}

/** The section that it would be in without one of its own: where zeros are, or what rarely runs, is the compiler's business. */
export function placeName(atom: Atom): string {
  if (isCode(atom)) return /^\.text(\.(?!\.)|$)/.test(atom.section.name) ? ".text" : atom.section.name;
  return /^\.(data|bss)(\.(?!\.)|$)/.test(atom.section.name) ? ".data" : sectionStem(atom);
}

/** The name that stays the same from one compilation to the next. */
export function stableName(atom: Atom): string {
  if (isOfCheck(atom)) return ".data..Lubsan";
  if (isDisposable(atom)) {
    const base = localName(numberedBase(atom.name) ?? atom.name);
    return `${sectionStem(atom)}:${base.replace(/\d+$/, "")}`;
  }
  return numberedBase(atom.name) ?? cloneBase(atom.name);
}
