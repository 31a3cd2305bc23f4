/**
 * Which pointers of a table of sysctls may be written while the machine stands
 * still. The kernel reads an entry where it lies at each access (fs/proc/proc_sysctl.c,
 * proc_sys_call_handler), or in a copy that it made at registration and that can
 * be found; a task may have read the old handler just before, and call it after.
 */
import type { User } from "./hooks.ts";
import type { EntryLayout } from "./options.ts";
import type { SelectedWord, WordValue } from "./selection.ts";
import type { Atom } from "./unit.ts";

/** An array of this struct is a table of sysctls; as `DiffOptions.structOf` names one. */
export const SYSCTL_TABLE = "ctl_table[]";

/** Handlers of the kernel's that take `extra1` and `extra2` for bounds, NULL for none, or do not look at them. */
const OF_NUMBERS = new Set([
  "proc_dobool",
  "proc_dointvec",
  "proc_dointvec_jiffies",
  "proc_dointvec_minmax",
  "proc_dointvec_ms_jiffies",
  "proc_dointvec_userhz_jiffies",
  "proc_dostring",
  "proc_dou8vec_minmax",
  "proc_douintvec",
  "proc_douintvec_minmax",
  "proc_doulongvec_minmax",
]);
const BOUNDS = new Set(["extra1", "extra2"]);
/** What puts bytes elsewhere: a copy with other contents would not be found. */
const COPIERS = /^(__)?(kmemdup|memcpy|memmove|kmalloc|kcalloc|kzalloc|kvmalloc|kstrdup)/;

/** The words, with the entries that they are part of; undefined where one must not be written. */
export function sysctlWords(
  words: readonly SelectedWord[],
  original: Atom,
  layout: EntryLayout,
): SelectedWord[] | undefined {
  const written: SelectedWord[] = [];
  for (const word of words) {
    const start = word.offset - (word.offset % layout.size);
    const member = layout.members.get(word.offset - start);
    const isBound = member !== undefined && BOUNDS.has(member);
    if (member !== "proc_handler" && !isBound) return undefined;
    // What a bound points to is read without a call, so that no stack shows it.
    if (isBound && word.after.pointer?.destination.kind === "piece") return undefined;
    if (isBound && !handlersOf(words, original, start, layout).every((name) => OF_NUMBERS.has(name))) return undefined;
    written.push({ ...word, entry: { offset: start, size: layout.size } });
  }
  return written;
}

/** Before and after, of the entry that begins at `start`. */
function handlersOf(words: readonly SelectedWord[], original: Atom, start: number, layout: EntryLayout): string[] {
  const [offset] = [...layout.members].find(([, name]) => name === "proc_handler") ?? [0];
  const changed = words.find((word) => word.offset === start + offset);
  if (changed !== undefined) return [functionOf(changed.before), functionOf(changed.after)];
  const target = original.references.find((reference) => reference.offset === start + offset)?.target;
  return [target?.kind === "atom" ? target.atom.name : target?.kind === "external" ? target.name : ""];
}

function functionOf({ pointer }: WordValue): string {
  const destination = pointer?.destination;
  if (destination?.kind === "original") return destination.atom.name;
  return destination?.kind === "external" ? destination.name : "";
}

/** Whether a table has entries that lead to other tables: the kernel registers a copy of such a one. */
export function hasDirectories(table: Atom, { size, members }: EntryLayout): boolean {
  return table.references.some(({ offset }) => members.get(offset % size) === "child");
}

/** Whether all that refers to a table only registers it: what else does might have made a table of its own of it. */
export function isOnlyRegistered(users: readonly User[], isTable: (atom: Atom) => boolean): boolean {
  return users.length > 0 && users.every(({ atom }) => isTable(atom) || isRegistration(atom));
}

function isRegistration(atom: Atom): boolean {
  if (atom.section.role !== "init") return false;
  const called = atom.references.flatMap(({ target }) => (target.kind === "external" ? [target.name] : []));
  return called.some((name) => /register_sysctl/.test(name)) && !called.some((name) => COPIERS.test(name));
}
