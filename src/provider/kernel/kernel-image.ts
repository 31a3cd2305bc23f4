/** What is read out of a kernel image once: the unpacked vmlinux, its symbols and its struct layouts. */
import { writeFile } from "node:fs/promises";
import { kernelLayouts } from "../../btf/kernel-layouts.ts";
import { readBtf } from "../../btf/read.ts";
import { buildIdOf } from "../../elf/notes.ts";
import { readElf } from "../../elf/read.ts";
import { readKallsyms } from "../../image/kallsyms.ts";
import { encodeSymbolTable } from "../../image/symbol-table.ts";
import { unpackKernelImage } from "../../image/unpack.ts";
import { SutureError } from "../../lib/error.ts";
import { readGivenFile } from "../../lib/read-file.ts";

/** Paths of files to be written. */
export interface ImageOutputs {
  /** Where to write the unpacked ELF file; undefined where the image is one already. */
  readonly vmlinux: string | undefined;
  readonly symbols: string;
  readonly layouts: string;
}

/** Returns the build-id, hexadecimal. Throws `KERNEL_IMAGE_CORRUPT` and what reading its parts throws. */
export async function digestImage(image: string, outputs: ImageOutputs): Promise<{ readonly buildId: string }> {
  const data = await unpackKernelImage(await readGivenFile(image, { what: "the image" }), image);
  if (outputs.vmlinux !== undefined) await writeFile(outputs.vmlinux, data);
  const vmlinux = readElf(data, image);
  await writeFile(outputs.symbols, encodeSymbolTable(readKallsyms(vmlinux)));
  const btf = vmlinux.sections.find(({ name }) => name === ".BTF");
  if (btf === undefined) {
    throw new SutureError(
      "KERNEL_WITHOUT_BTF",
      "the kernel carries no type information, which livepatches are laid out by",
      {
        where: `${image}: .BTF`,
        hint: "use a kernel built with CONFIG_DEBUG_INFO_BTF=y",
      },
    );
  }
  await writeFile(outputs.layouts, JSON.stringify(kernelLayouts(readBtf(btf.data, `${image}: .BTF`))));
  return { buildId: buildIdOf(vmlinux) ?? "" };
}
