import { setU64, viewOf } from "./bytes.ts";
import { RECORD, SHN } from "./constants.ts";
import type { DraftSymbol, ElfDraft } from "./draft.ts";
import { cannotWrite } from "./fault.ts";
import type { ElfSymbol } from "./model.ts";
import type { Numbering } from "./numbering.ts";
import type { NameWriter } from "./strings.ts";

/** Whether .symtab would say what it said in the file that the draft was made from. */
export function symbolsUnedited(draft: ElfDraft, numbering: Numbering): boolean {
  const origin = draft.origin;
  if (origin === undefined || numbering.symbols.length !== origin.symbols.length) return false;
  return numbering.symbols.every((symbol, i) => {
    const before = origin.file.symbols[i + 1];
    return before !== undefined && symbol === origin.symbols[i] && sameSymbol(symbol, before, numbering);
  });
}

function sameSymbol(now: DraftSymbol, then: ElfSymbol, numbering: Numbering): boolean {
  return (
    now.name === then.name &&
    now.value === then.value &&
    now.size === then.size &&
    now.type === then.type &&
    now.binding === then.binding &&
    now.visibility === then.visibility &&
    now.other === then.other &&
    samePlace(now, then, numbering)
  );
}

function samePlace({ name, place: now }: DraftSymbol, { place: then }: ElfSymbol, numbering: Numbering): boolean {
  switch (now.kind) {
    case "undefined":
    case "absolute":
    case "common":
      return now.kind === then.kind;
    case "reserved":
      return then.kind === "reserved" && now.value === then.value;
    default:
      return then.kind === "section" && then.section === numbering.sectionIndex(now, `symbol ${name}`);
  }
}

/** .symtab and the matching SHT_SYMTAB_SHNDX contents. */
export function encodeSymbols(
  draft: ElfDraft,
  numbering: Numbering,
  names: NameWriter,
): { symbols: Buffer; sections: Buffer } {
  const little = draft.header.endian === "little";
  const symbols = Buffer.alloc((numbering.symbols.length + 1) * RECORD.SYMBOL);
  const sections = Buffer.alloc((numbering.symbols.length + 1) * 4);
  const view = viewOf(symbols);
  const extended = viewOf(sections);
  numbering.symbols.forEach((symbol, i) => {
    const at = (i + 1) * RECORD.SYMBOL;
    const section = shortIndex(draft, numbering, symbol);
    if (section.extended !== 0) extended.setUint32((i + 1) * 4, section.extended, little);
    if (!(symbol.type >>> 0 < 16 && symbol.binding >>> 0 < 16)) {
      const what = `symbol ${symbol.name} has type ${symbol.type} and binding ${symbol.binding}`;
      throw cannotWrite({ file: draft.name }, what, "both are numbers below 16");
    }
    view.setUint32(at, names.place(symbol.name), little);
    view.setUint8(at + 4, (symbol.binding << 4) | symbol.type);
    view.setUint8(at + 5, (symbol.visibility & 3) | ((symbol.other & 63) << 2));
    view.setUint16(at + 6, section.short, little);
    setBig(view, at + 8, symbol.value, little);
    setBig(view, at + 16, symbol.size, little);
  });
  return { symbols, sections };
}

function shortIndex(
  draft: ElfDraft,
  numbering: Numbering,
  { name, place }: DraftSymbol,
): { short: number; extended: number } {
  switch (place.kind) {
    case "undefined":
      return { short: SHN.UNDEF, extended: 0 };
    case "absolute":
      return { short: SHN.ABS, extended: 0 };
    case "common":
      return { short: SHN.COMMON, extended: 0 };
    case "reserved":
      if (place.value >= SHN.LORESERVE && place.value < SHN.XINDEX) {
        return { short: place.value, extended: 0 };
      }
      throw cannotWrite(
        { file: draft.name },
        `symbol ${name} has the section index ${place.value}, which is not reserved`,
        "give a section, or an index from 0xff00 to 0xfffe",
      );
    default: {
      const index = numbering.sectionIndex(place, `symbol ${name}`);
      return index < SHN.LORESERVE ? { short: index, extended: 0 } : { short: SHN.XINDEX, extended: index };
    }
  }
}

function setBig(view: DataView, at: number, value: bigint, little: boolean): void {
  if (value >= 0n && value <= MAX_SAFE) setU64(view, at, Number(value), little);
  else view.setBigUint64(at, BigInt.asUintN(64, value), little);
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
