/** What names that gcc and the kernel's macros make up tell. */
import type { Atom } from "./unit.ts";

/** gcc numbers static locals and other unnamed objects: `state.3`, `CSWTCH.12`. */
export function numberedBase(name: string): string | undefined {
  const match = /^(.+?)\.\d+$/.exec(name);
  return match === null ? undefined : match[1];
}

/** Without the numbers that gcc gives to clones: `f.constprop.1` → `f.constprop`. */
function cloneBase(name: string): string {
  return name.replace(/\.(constprop|isra|part|cold)\.\d+/g, ".$1");
}

export function isCold(name: string): boolean {
  return /\.cold(\.\d+)?$/.test(name);
}

/**
 * Static locals made by macros, whose old value no code relies on: whether a
 * warning was shown, a lock class, a debug site. A new version of a function
 * brings its own.
 */
const DISPOSABLE =
  /^(__already_done|__warned|__print_once|___done|___once_key|__key|__lock_key|_rs|__func__|__FUNCTION__|__PRETTY_FUNCTION__|CSWTCH|__msg|_entry|_entry_ptr|__flags|symbols|descriptor|__UNIQUE_ID_ddebug\d*|__section_unmatched|\.LC\d*|C)$/;
/** Of those, the ones that compilers make. */
const DISPOSABLE_CONSTANTS = /^(__func__|__FUNCTION__|__PRETTY_FUNCTION__|CSWTCH|\.LC\d*|C)$/;
const DISPOSABLE_SECTIONS = new Set(["__dyndbg", "__verbose", ".data.once", ".data..once", ".data.unlikely"]);

export function isDisposable(atom: Atom): boolean {
  if (atom.kind !== "data" && atom.kind !== "constant") return false;
  const base = numberedBase(atom.name);
  if (atom.section.environment === "program")
    return atom.kind === "constant" && base !== undefined && DISPOSABLE_CONSTANTS.test(base);
  if (DISPOSABLE_SECTIONS.has(atom.section.name)) return true;
  return base !== undefined && DISPOSABLE.test(base);
}

/** What the compiler makes of an object's name for a section of its own is no part of what the section is. */
function sectionStem({ name, section }: Atom): string {
  return section.name.endsWith(`.${name}`) ? section.name.slice(0, -name.length - 1) : section.name;
}

/** The name that stays the same from one compilation to the next. */
export function stableName(atom: Atom): string {
  if (isDisposable(atom)) {
    const base = numberedBase(atom.name) ?? atom.name;
    return `${sectionStem(atom)}:${base.replace(/\d+$/, "")}`;
  }
  return numberedBase(atom.name) ?? cloneBase(atom.name);
}
