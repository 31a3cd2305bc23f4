import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { findCustomParts } from "./custom-kernel.ts";

const FILES = [
  "source/Kbuild",
  "headers/.config",
  "headers/include/generated/autoconf.h",
  "headers/include/generated/utsrelease.h",
  "headers/arch/x86/include/generated/asm/a.h",
  "headers/tools/objtool/objtool",
  "headers/Module.symvers",
  "vmlinux",
  "modules/modules.order",
];

function contentOf(path: string): string {
  if (path.endsWith("utsrelease.h")) return '#define UTS_RELEASE "6.1.99-mine"\n';
  return path.endsWith(".config") ? "CONFIG_X86_64=y\n" : "";
}

test("each part of a kernel that is not there is named, with the option that it belongs to", async () => {
  await using directory = await temporaryDirectory();
  const at = (path: string): string => join(directory.path, path);
  const [source, headers, vmlinux, modules] = ["source", "headers", "vmlinux", "modules"].map(at) as [
    string,
    string,
    string,
    string,
  ];
  const find = async () => await findCustomParts({ kind: "custom", source, headers, vmlinux, modules });
  for (const path of FILES) {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), contentOf(path));
  }
  const { release, digest } = await find();
  expect(release).toBe("6.1.99-mine");
  for (const path of FILES.filter((each) => !/\.order|\/a\.h$/.test(each))) {
    rmSync(at(path));
    await expect(find()).rejects.toMatchObject({
      code: "KERNEL_INCOMPLETE",
      where: at(path),
      hint: expect.stringMatching(/--|make/),
    });
    writeFileSync(at(path), contentOf(path));
  }
  writeFileSync(at("headers/.config"), "CONFIG_X86_64=y\nCONFIG_A=y\n");
  expect((await find()).digest).not.toBe(digest);
});
