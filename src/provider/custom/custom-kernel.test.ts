import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { linkModules } from "./built-modules.ts";
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

test("of the directory that make has left, the source beside it, the image and the modules are found", async () => {
  await using directory = await temporaryDirectory();
  const at = (path: string): string => join(directory.path, path);
  const put = (path: string, text = ""): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  for (const path of FILES.filter((each) => each.startsWith("headers/"))) put(path, contentOf(path));
  put("source/Kbuild");
  symlinkSync("../source", at("headers/source"));
  put("headers/vmlinux", "\x7fELF");
  const find = async () => await findCustomParts({ kind: "build", directory: at("headers") });
  expect(await find()).toMatchObject({ release: "6.1.99-mine", image: undefined });
  put("headers/arch/x86/boot/bzImage", "MZ");
  expect(await find()).toMatchObject({
    source: at("source"),
    vmlinux: at("headers/vmlinux"),
    image: at("headers/arch/x86/boot/bzImage"),
    modules: at("headers"),
  });
  rmSync(at("headers/vmlinux"));
  await expect(find()).rejects.toMatchObject({ code: "KERNEL_INCOMPLETE", hint: "it is made by: make" });
});

test("modules are laid out as they would be installed, by either form of their list", async () => {
  await using directory = await temporaryDirectory();
  const [build, to] = [join(directory.path, "build"), join(directory.path, "modules")];
  for (const path of ["crypto/md5.ko", "kernel/trace/x.ko", "fs/y.ko"]) {
    mkdirSync(join(build, dirname(path)), { recursive: true });
    writeFileSync(join(build, path), path);
  }
  writeFileSync(join(build, "modules.order"), "kernel/crypto/md5.ko\nkernel/trace/x.o\nfs/y.o\nfs/gone.o\n");
  await linkModules(build, to);
  expect(readFileSync(join(to, "modules.order"), "utf8").split("\n")).toEqual([
    "kernel/crypto/md5.ko",
    "kernel/kernel/trace/x.ko",
    "kernel/fs/y.ko",
    "",
  ]);
  expect(readFileSync(join(to, "kernel/fs/y.ko"), "utf8")).toBe("fs/y.ko");
});
