import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { commandIn } from "./recorded-commands.ts";
import { recordedModules } from "./recorded-units.ts";

async function recorded(files: Readonly<Record<string, string>>) {
  await using directory = await temporaryDirectory();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory.path, path)), { recursive: true });
    writeFileSync(join(directory.path, path), text);
  }
  return await recordedModules(directory.path);
}

const OBJTOOL = "; ./tools/objtool/objtool --orc --link --module";

test("a module of two files, built from a kernel's headers in two parts, is compiled as it was, in a tree that holds both", async () => {
  const compile = (name: string): string =>
    `savedcmd_/m/${name}.o := ccache gcc-12 -Wp,-MMD,/m/x.d -nostdinc -I/usr/src/common/arch/x86/include -I./arch/x86/include/generated -I/usr/src/common/include -include /usr/src/common/include/linux/kconfig.h -fmacro-prefix-map=/usr/src/common/= -isystem /usr/lib/gcc/include -I/m/include -I /m -DNAME='"a b"' -DDOLLAR='$$$$' -c -o /m/${name}.o /m/${name}.c`;
  const { units, modules, compilers } = await recorded({
    ".one.o.cmd": compile("one"),
    "sub/.two.o.cmd": compile("sub/two"),
    ".both.o.cmd": `savedcmd_/m/both.o := ld -r -o /m/both.o @/m/both.mod  ${OBJTOOL} /m/both.o`,
    ".both.mod.o.cmd": "savedcmd_/m/both.mod.o := gcc-12 -c -o /m/both.mod.o /m/both.mod.c",
    ".both.mod.cmd": "savedcmd_/m/both.mod := printf",
    "both.mod": "/m/one.o\n/m/sub/two.o\n",
  });
  expect(modules).toEqual(["both"]);
  expect(compilers).toEqual(["gcc-12"]);
  expect(units.map(({ source, object, lands }) => [source, object, lands])).toEqual([
    ["./one.c", "one.o", { kind: "module", modules: ["extra/both"] }],
    ["./sub/two.c", "sub/two.o", { kind: "module", modules: ["extra/both"] }],
  ]);
  expect(units[1]?.args).toEqual([
    "-nostdinc",
    "-I.kernel/arch/x86/include",
    "-I.kernel/arch/x86/include/generated",
    "-I.kernel/include",
    ...["-include", ".kernel/include/linux/kconfig.h"],
    "-fmacro-prefix-map=.kernel/=",
    ...["-isystem", "/usr/lib/gcc/include"],
    "-I./include",
    ...["-I", "."],
    '-DNAME="a b"',
    "-DDOLLAR=$$",
    "-fmacro-prefix-map=./=/m/",
  ]);
  expect(units[0]?.objtool).toEqual(["--orc", "--link", "--module"]);
});

test("make that runs in the module's own directory, as since 6.13, names its files from there", async () => {
  const { units } = await recorded({
    ".one.o.cmd": `savedcmd_one.o := gcc -Wp,-MMD,./.one.o.d -I/k/source/include -I/k/build/arch/x86/include/generated -include /k/source/include/linux/kconfig.h -I././include -c -o one.o one.c ; /k/build/tools/objtool/objtool --orc one.o`,
    ".one.mod.cmd": "savedcmd_one.mod := printf",
    ".module-common.o.cmd": "savedcmd_.module-common.o := gcc -c -o .module-common.o /k/source/scripts/module-common.c",
    "one.mod": "one.o\n",
  });
  expect(units).toEqual([
    {
      source: "one.c",
      object: "one.o",
      lands: { kind: "module", modules: ["extra/one"] },
      args: [
        "-I.kernel/include",
        "-I.kernel/arch/x86/include/generated",
        ...["-include", ".kernel/include/linux/kconfig.h"],
        "-I././include",
      ],
      objtool: ["--orc"],
    },
  ]);
});

test("an object that is in no module lands elsewhere, and where there is no record there is nothing", async () => {
  const { units } = await recorded({ ".one.o.cmd": "cmd_/m/one.o := gcc -c -o /m/one.o /m/one.c" });
  expect(units.map(({ lands }) => lands)).toEqual([{ kind: "elsewhere" }]);
  expect(await recorded({ "one.c": "int a;" })).toEqual({ units: [], modules: [], compilers: [] });
  expect(commandIn("source_x := a.c\n")).toBeUndefined();
});
