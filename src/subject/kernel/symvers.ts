/** Module.symvers: what the kernel and its modules export. */
import { readFile } from "node:fs/promises";
import { SutureError } from "../../lib/error.ts";

/** One line of Module.symvers. */
export interface ExportedSymbol {
  readonly name: string;
  readonly crc: number;
  /** `vmlinux`, or a module's path without .ko. */
  readonly object: string;
  readonly gplOnly: boolean;
  /** Empty where it is in none. */
  readonly namespace: string;
}

/** Looked up by name. Throws `SYMVERS_CORRUPT` for a line that modpost does not write. */
export interface Symvers {
  find(name: string): ExportedSymbol | undefined;
}

/** Lines `crc <tab> symbol <tab> object <tab> EXPORT_SYMBOL[_GPL] [<tab> namespace]`. */
export async function openSymvers(path: string): Promise<Symvers> {
  return symversFrom(await readFile(path, "latin1"), path);
}

/** 0x and eight digits: modpost writes no other. */
const CRC_LENGTH = 10;

/** Parses a line when it is asked for: a livepatch needs a few of some ten thousand. */
export function symversFrom(text: string, path: string): Symvers {
  return {
    find(name) {
      if (!/^[A-Za-z_]\w*$/.test(name)) return undefined;
      for (let at = text.indexOf(`\t${name}\t`); at >= 0; at = text.indexOf(`\t${name}\t`, at + 1)) {
        const start = at - CRC_LENGTH;
        if (start < 0 || (start > 0 && text[start - 1] !== "\n")) continue;
        const end = text.indexOf("\n", at);
        const line = text.slice(start, end < 0 ? undefined : end);
        const [crc = "", , object = "", how = "", namespace = ""] = line.split("\t");
        if (!/^0x[0-9a-f]{8}$/.test(crc) || object === "") throw corrupt(line, path);
        return { name, crc: Number.parseInt(crc, 16), object, gplOnly: how.includes("GPL"), namespace };
      }
      return undefined;
    },
  };
}

function corrupt(line: string, path: string): SutureError {
  const what = `not a line of a Module.symvers: ${line.slice(0, 200)}`;
  return new SutureError("SYMVERS_CORRUPT", what, { where: path, hint: "give the one that the kernel's build made" });
}
