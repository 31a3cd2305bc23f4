/**
 * What a livepatch says it leaves out. It is believed of a piece that is named
 * there as data, and only where the objects show that the reason is true of it.
 */
import type { LeftOutRecord, PieceRecord } from "../patch/metadata.ts";
import { type Difference, ONLY_PLACED } from "./compare.ts";
import { plainName } from "./names.ts";
import { isCode, isWritable, type Named } from "./plain-object.ts";
import type { User } from "./users.ts";

/** How the pieces of a unit hang together, on either side. */
export interface Links {
  /** Whether the unit is part of a module. */
  readonly isModule: boolean;
  usersOf(named: Named): Iterable<User>;
  /** Of these, those that take its address, and may have handed it on. */
  takersOf(named: Named): ReadonlySet<User>;
  targetsOf(named: Named): readonly Named[];
  isDifferent(named: Named): boolean;
  /** Sections without symbols, or parts of such, that refer to it. */
  sectionsTo(named: Named): readonly string[];
}

/** The sentence that tells of the difference; undefined where none does, or is not true of it. */
export function leftOutBy(
  difference: Difference,
  source: string,
  records: readonly LeftOutRecord[],
  links: Links,
): string | undefined {
  const { name, section } = difference;
  const told = (each: string, its: string): LeftOutRecord | undefined =>
    records.find(
      ({ code, pieces }) =>
        pieces.some((piece) => isPiece(piece, source, each, its) || isWhole(piece, source, its)) &&
        isTrue(code, difference, links),
    );
  const record = told(name, section);
  if (record === undefined || !INITCALL.test(section)) return record?.what;
  // One is known by what it calls, and several may lie in the section.
  const named = difference.patched ?? difference.original;
  const called = named === undefined ? [] : links.targetsOf(named);
  return called.every((each) => told(each.name, each.section.name) !== undefined) ? record.what : undefined;
}

const INITCALL = /^\.(con_)?initcall/;

/** The numbers that the compiler gives may be others here; a section without symbols is told by its own name. */
export function isPiece(piece: PieceRecord, source: string, name: string, section: string): boolean {
  if (piece.source !== source) return false;
  if (name === section) return isIn(piece, section);
  return piece.name === name || plainName(piece.name) === plainName(name);
}

/** A section that has no symbols where it was told of. */
function isWhole(piece: PieceRecord, source: string, section: string): boolean {
  return piece.source === source && piece.name === piece.section && isIn(piece, section);
}

function isIn(piece: PieceRecord, section: string): boolean {
  return piece.section === section || piece.section.startsWith(`${section}.`);
}

function isTrue(code: string, { original, patched, section, reason }: Difference, links: Links): boolean {
  const sides = [original, patched].filter((side) => side !== undefined);
  const holds = (isIt: (named: Named) => boolean) => sides.length > 0 && sides.every(isIt);
  const lies = (isIt: (name: string) => boolean) =>
    sides.length === 0 ? isIt(section) : holds((named) => isIt(named.section.name));
  switch (code) {
    case "INIT_ALREADY_RAN":
      return lies(isStart) || holds((named) => isOfStart(named, links));
    case "READ_AT_LOAD_TIME":
      return lies((each) => READ_AT_LOAD.test(each));
    case "PARAMETER_STAYS":
      return lies((each) => each === "__param");
    case "EXIT_NEVER_RUNS":
      return !links.isModule && lies(isExit);
    case "EXIT_BELONGS_TO_INIT":
      return (
        links.isModule &&
        lies(isExit) &&
        holds((named) => links.targetsOf(named).some((to) => isWritable(to.section) && links.isDifferent(to)))
      );
    case "REGISTERED_AT_LOAD":
      return links.isModule && holds((named) => named.kind === "object" && isOfRegistration(named, links));
    case "PLACE_STAYS":
      return reason.startsWith(ONLY_PLACED) && holds(isOneForAll);
    case "CONSTRUCTOR_RAN":
      return holds((named) => named.kind === "function" && isConstructor(named, links));
    default:
      return false;
  }
}

/** Code, or a variable that neither each processor nor each thread has for itself. */
function isOneForAll({ section }: Named): boolean {
  return isCode(section) || (isWritable(section) && !/^\.(data\.\.percpu|tdata|tbss)/.test(section.name));
}

/** Freed when the kernel or the module is up. Not .meminit, which a kernel keeps to which memory can be added. */
export function isStart(section: string): boolean {
  return /^\.(init\.|head\.text|(con_)?initcall)/.test(section);
}

/** Whether the section holds what runs when a module is removed: code that is built in never does. */
export function isExit(section: string): boolean {
  return /^\.exit\.(text|data)$/.test(section);
}

/**
 * What the linker gathers for what goes through it once, when the kernel starts or
 * an object is loaded. Not PCI fixups and built-in firmware, nor anything not known.
 */
const READ_AT_LOAD =
  /^(\.init\.setup|_ftrace_events|_ftrace_eval_map|__tracepoints_ptrs|\.?__tracepoint_str|__bpf_raw_tp_map|__syscalls_metadata|_error_injection_whitelist|\.BTF_ids|__modver|___?k(symtab|crctab).*|__ksymtab_strings|\.export_symbol|\.acpi_probe_table|__earlycon_table|__irqchip_of_table|__thermal_table_entry|\.apicdrivers|\.x86_cpu_dev\.init|\.(init_array|ctors).*)$/;

/** Whether it is freed itself, or only what is freed has read it. */
function isOfStart(named: Named, links: Links): boolean {
  if (isStart(named.section.name)) return true;
  if (named.isGlobal || isWritable(named.section) || isCode(named.section)) return false;
  const users = [...links.usersOf(named)];
  const takers = links.takersOf(named);
  return (
    users.length > 0 &&
    users.every(
      (user) => user !== "unknown" && isStart(user.section.name) && (user.kind === "object" || !takers.has(user)),
    )
  );
}

function isOfRegistration(named: Named, links: Links): boolean {
  const users = [...links.usersOf(named)];
  return (
    !named.isGlobal &&
    users.length > 0 &&
    users.every((user) => {
      if (user === "unknown") return false;
      const { name } = user.section;
      return isStart(name) || isExit(name) || name === "__param" || READ_AT_LOAD.test(name);
    })
  );
}

function isConstructor(named: Named, links: Links): boolean {
  if (named.isGlobal) return false;
  const sections = links.sectionsTo(named);
  const users = [...links.usersOf(named)].filter((user) => user !== "unknown");
  return users.length === 0 && sections.length > 0 && sections.every((name) => CONSTRUCTORS.test(name));
}

/** Tables of functions that run when a program or library is loaded. */
const CONSTRUCTORS = /^\.(preinit_array|init_array|ctors)(\.|$)/;
