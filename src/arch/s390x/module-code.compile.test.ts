import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readElf } from "../../elf/read.ts";
import { relocationSections, relocationsOf } from "../../elf/relocations.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import type { MachineCode } from "../module-code.ts";
import { moduleCode } from "./module-code.ts";

const TRAITS = { hasReturnThunk: false };

/** What the assembler makes of a source: its bytes, and the fields that it leaves to the linker. */
async function assembled(source: string): Promise<Omit<MachineCode, "sites">> {
  await using directory = await temporaryDirectory();
  const [input, output] = [join(directory.path, "code.s"), join(directory.path, "code.o")];
  writeFileSync(input, source);
  execFileSync("s390x-linux-gnu-as", ["-m64", "-march=z10", "-o", output, input]);
  const file = readElf(readFileSync(output), output);
  const text = file.sections.find(({ name }) => name === ".text");
  const end = Number(file.symbols.find(({ name }) => name === "end")?.value);
  const tables = [...relocationSections(file).values()].flat();
  const fields = tables.flatMap((table) =>
    relocationsOf(file, table).map(({ offset, type, symbol, addend }) => ({
      offset,
      type,
      symbol: file.symbols[symbol]?.name ?? "",
      addend: Number(addend),
    })),
  );
  return { bytes: Buffer.from(text?.data.subarray(0, end) ?? []), fields };
}

const HELD = `
  stmg %r14,%r15,112(%r15)
  lay %r15,-160(%r15)
  larl %r2,__this_module
  brasl %r14,REFERENCE@PLT
  lmg %r14,%r15,272(%r15)
`;

test.each([
  ["init", moduleCode.init(TRAITS, false), "larl %r2,patch; jg klp_enable_patch@PLT"],
  [
    "init of a module that holds itself",
    moduleCode.init(TRAITS, true),
    `${HELD.replace("REFERENCE", "__module_get")}; larl %r2,patch; jg klp_enable_patch@PLT`,
  ],
  ["exit", moduleCode.exit(TRAITS), "br %r14"],
  [
    "the callback that sets a module's exit",
    moduleCode.setModuleExit("patched", "module_put", { mod: 0x58, exit: 0x1234 }, TRAITS),
    `lg %r3,0x58(%r2); larl %r1,patched; stg %r1,0x1234(%r3); ${HELD.replace("REFERENCE", "module_put")}; lghi %r2,0; br %r14`,
  ],
])("%s is what the assembler makes of it", async (_, { bytes, fields }, source) => {
  expect({ bytes, fields }).toEqual(await assembled(`.text\n${source}\nend:\n`));
});
