import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Arch } from "../arch/arch.ts";
import type { Atom } from "../diff/unit.ts";
import { run } from "../lib/run.ts";
import { temporaryDirectory } from "../lib/temp.ts";
import type { Mismatch } from "./mismatch.ts";

/** For a reader: the first differing instruction on both sides, and what usually makes such a difference. */
export async function explainMismatch(
  atom: Atom,
  mismatch: Mismatch,
  shipped: { bytes(at: number, length: number): Buffer | undefined },
): Promise<string> {
  if (mismatch.kind === "absent") return "it is not in what ships";
  const at = `+0x${mismatch.offset.toString(16)}`;
  if (mismatch.kind === "target")
    return `at ${at} it refers to ${mismatch.wanted}, and what ships to ${mismatch.found}: another version of the source, most likely`;
  const length = atom.data.length;
  const theirs = shipped.bytes(mismatch.at, length);
  const difference = await explainBytes(atom.section.arch, { own: atom.data, shipped: theirs }, mismatch.offset);
  return `at ${at} it has ${difference}: another compiler, configuration or version of the source, most likely`;
}

/** `"what we have", and what ships "what it has"`, at an offset of code. */
export async function explainBytes(
  arch: Arch,
  { own, shipped }: { readonly own: Buffer; readonly shipped: Buffer | undefined },
  offset: number,
): Promise<string> {
  const [ours, theirs] = await Promise.all([
    instructionAt(arch, own, offset),
    shipped === undefined ? "nothing" : instructionAt(arch, shipped, offset),
  ]);
  return `"${ours}", and what ships "${theirs}"`;
}

/** The instruction that holds an offset, as objdump writes it; its bytes where objdump is missing. */
async function instructionAt({ toolchain }: Arch, code: Buffer, offset: number): Promise<string> {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "code");
  await writeFile(file, code);
  const shown = await run("objdump", ["-D", "-b", "binary", "-m", toolchain.objdump, "--no-show-raw-insn", file]);
  const lines = shown.stdout.split("\n").flatMap((line) => {
    const match = /^\s*([0-9a-f]+):\s+(.*)$/.exec(line);
    return match === null
      ? []
      : [{ at: Number.parseInt(match[1] ?? "0", 16), text: (match[2] ?? "").trim().replace(/\s+/g, " ") }];
  });
  const found = lines.findLast(({ at }) => at <= offset);
  return found?.text ?? code.subarray(offset, offset + 8).toString("hex");
}
