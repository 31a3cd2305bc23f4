/** The entries of the special sections for the code of the livepatch, each table in one section, as the module loader wants them. */
import { pieceRecord } from "../diff/left-out.ts";
import type { Piece, SelectedEntry, SelectedReference } from "../diff/selection.ts";
import { SHF, SHT } from "../elf/constants.ts";
import type { Note } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Image } from "./image.ts";
import type { LinkUnit } from "./input.ts";
import type { Binder } from "./place-pieces.ts";

/** What was found about entries whose key may come later than the livepatch. */
export interface TableOutcome {
  readonly notes: readonly Note[];
  readonly refusals: readonly Refusal[];
}

/** What becomes of an entry, and what is to be said of that. */
type Fate = { readonly kind: "kept" } | { readonly kind: "dropped"; readonly note?: Note; readonly refusal?: Refusal };

/**
 * Appends the piece's entries to the livepatch's own tables. An entry that the module
 * loader could not bind in time is left out where that is safe, which a note says, and
 * refused otherwise.
 */
export function placeTables(piece: Piece, image: Image, binder: Binder, unit: LinkUnit): TableOutcome {
  const notes = new Map<string, Note>();
  const refusals = new Map<string, Refusal>();
  for (const selected of piece.entries) {
    const fate = lateKey(selected, piece, { binder, unit });
    // A function mostly has several branches on one key.
    if (fate.kind === "kept") placeEntry(selected, image, binder);
    else if (fate.note !== undefined) notes.set(fate.note.text, fate.note);
    else if (fate.refusal !== undefined) refusals.set(fate.refusal.what, fate.refusal);
  }
  return { notes: [...notes.values()], refusals: [...refusals.values()] };
}

function placeEntry({ entry, references }: SelectedEntry, image: Image, binder: Binder): void {
  const flags = entry.section.flags & (SHF.ALLOC | SHF.WRITE);
  const section = image.section(entry.table.name, flags, SHT.PROGBITS, entry.section.entrySize);
  const offset = section.append(entry.data, entry.data.length, 1);
  section.alignment = Math.max(section.alignment, entry.section.alignment, 4);
  binder.bind(references, section, offset);
  binder.place(entry, { section, offset });
  const rows = image.arch.kernel.unwindTable?.rows;
  if (entry.companion !== undefined && rows !== undefined)
    image.section(rows, SHF.ALLOC).append(entry.companion, entry.companion.length, 1);
}

/**
 * The module loader reads a table's keys when the livepatch is loaded. Those of
 * a module that may come later are not bound by then.
 */
function lateKey(
  { entry, references }: SelectedEntry,
  piece: Piece,
  { binder, unit }: { readonly binder: Binder; readonly unit: LinkUnit },
): Fate {
  const { staticKey, staticCall } = entry.table;
  const key = references.find(({ offset }) => offset === (staticKey?.[entry.data.length] ?? staticCall));
  if (key === undefined) return { kind: "kept" };
  const name = lateName(key, binder);
  if (name === undefined) return { kind: "kept" };
  if (staticCall !== undefined) {
    // Without an entry the call goes through the static call's trampoline, which the kernel keeps up to date.
    return { kind: "dropped" };
  }
  if (name.startsWith("__tracepoint_")) {
    const note = {
      code: "TRACEPOINT_OFF",
      text: `the tracepoint ${name.slice(13)} stays off in the new version of ${piece.atom.name}`,
      pieces: [
        pieceRecord(unit.selection.unit, piece.atom),
        { source: unit.selection.unit, section: entry.table.name, name },
      ],
    };
    return { kind: "dropped", note };
  }
  return {
    kind: "dropped",
    refusal: refusal(
      "STATIC_KEY_OF_MODULE",
      `${piece.atom.name} branches on the static key ${name} of the module ${unit.object}, which a livepatch cannot bind in time; that the form which reads the key instead replaces all that holds the change, and shares the right static locals, is not certain`,
      `${unit.selection.unit}: ${entry.table.name}`,
      "ask static_key_enabled() instead of static_branch_likely() or static_branch_unlikely() in the changed function",
    ),
  };
}

/** The name of a key that only a module has; undefined for one that is bound at load. */
function lateName(key: SelectedReference, binder: Binder): string | undefined {
  const target = binder.target(key.destination);
  if (target?.kind !== "origin" || target.origin.kind !== "livepatch" || target.origin.object === "vmlinux")
    return undefined;
  return target.origin.name;
}
