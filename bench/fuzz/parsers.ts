import { btf } from "./btf.ts";
import { callFrames } from "./call-frames.ts";
import { diff } from "./diff.ts";
import { elf, elfLarge } from "./elf.ts";
import { kallsyms } from "./kallsyms.ts";
import { metadata } from "./metadata.ts";
import type { FuzzParser } from "./parser.ts";
import { signature, signer } from "./signature.ts";
import { symbolTable } from "./symbol-table.ts";

/** Every parser of untrusted bytes. A new one is a file here and a line in this list. */
export const PARSERS: readonly FuzzParser[] = [
  elf,
  elfLarge,
  btf,
  callFrames,
  kallsyms,
  symbolTable,
  diff,
  metadata,
  signature,
  signer,
];
