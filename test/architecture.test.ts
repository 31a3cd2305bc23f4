/** Nothing outside src/arch knows a machine: neither by its folder, nor by its names, nor by the order of its bytes. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

interface Rule {
  readonly what: string;
  readonly pattern: RegExp;
  /** Files that do it all the same, each with the reason. An entry that is needed no more fails the test. */
  readonly but: Readonly<Record<string, string>>;
}

const READER = "reads one machine's kernel images, and nothing else";
const OWN_FORMAT = "a format with one order on every machine";

const RULES: readonly Rule[] = [
  { what: "imports a machine's folder", pattern: /from "[^"]*arch\/(x86_64|s390x)\//, but: {} },
  {
    what: "reads or writes words in a fixed order",
    pattern: /\.(read|write)\w+(LE|BE)\(/,
    but: { "src/elf/words.ts": "the one reader of words" },
  },
  {
    what: "chooses an order of bytes by itself",
    pattern: /\b(LITTLE|BIG)\b/,
    but: {
      "src/elf/words.ts": "the one reader of words",
      "src/elf/identity.ts": "ELF's magic number",
      "src/elf/header.ts": "ELF's magic number",
      "src/elf/strings.ts": "UTF-16 as Node.js has it",
      "src/btf/read.ts": "BTF's magic number tells the order",
      "src/image/bz-image.ts": READER,
      "src/image/s390x-image.ts": READER,
      "src/image/payload.ts": OWN_FORMAT,
      "src/image/symbol-table.ts": OWN_FORMAT,
      "src/patch/module-signature.ts": OWN_FORMAT,
      "src/process/store/control-record.ts": OWN_FORMAT,
      "src/targets/kernel/signing/firmware-certificates.ts": OWN_FORMAT,
    },
  },
  {
    what: "names a machine's relocations, its number, its registers as the kernel prints them, or its code",
    pattern: /R_X86_64|R_390|\bEM\.(X86_64|S390)\b|\bRIP\b|\bPKRU\b|\bPSW\b|ENDBR|endbr64|"__fentry__"/,
    but: { "src/image/s390x-image.ts": READER },
  },
  {
    what: "names a machine, its firmware or its tools",
    pattern: /x86|s390|\bq35\b|ttyS0|bzImage/i,
    but: {
      "src/elf/constants.ts": "ELF's own numbers and names of machines",
      "src/image/bz-image.ts": READER,
      "src/image/s390x-image.ts": READER,
      "src/image/unpack.ts": "says which images there are readers for",
      "src/lib/codes.ts": "sentences about what there is so far",
      "src/audit/left-out.ts": "a section of x86's in a list of those that are read at boot",
      "src/provider/kernel/cannot-build.ts": "all directories of architectures, to leave out the others",
      "src/provider/debian/program-packages.ts": "Debian's names of packages",
      "src/subject/kernel/units/generator-inputs.ts": "inputs of the kernel's generators, by path",
      "src/source/reach/implied.ts": "names that compilers make up, of every machine",
    },
  },
];

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !/\.(test|fixture)\.ts$/.test(name) && !name.startsWith("arch/"))
  .map((name) => join("src", name))
  .map((path) => ({
    path,
    code: readFileSync(join(root, path), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ""),
  }));

describe("outside src/arch", () => {
  test.each(RULES)("no file $what", ({ pattern, but }) => {
    const found = sources.filter(({ code }) => pattern.test(code)).map(({ path }) => path);
    expect(found.sort()).toEqual(Object.keys(but).sort());
  });
});

test("no machine imports from another one", () => {
  const machines = ["x86_64", "s390x"];
  for (const machine of machines) {
    const others = machines.filter((each) => each !== machine).join("|");
    const wrong = readdirSync(join(root, "src/arch", machine)).filter((name) =>
      new RegExp(`from "\\.\\./(${others})/`).test(readFileSync(join(root, "src/arch", machine, name), "utf8")),
    );
    expect(wrong).toEqual([]);
  }
});
