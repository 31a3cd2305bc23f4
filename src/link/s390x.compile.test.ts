/** A livepatch module for a big-endian machine, read back and looked at byte by byte. */
import { expect, test } from "vitest";
import { compiledForS390x } from "../arch/s390x/compiled.fixture.ts";
import { s390x } from "../arch/s390x/machine.ts";
import { R_390 } from "../arch/s390x/relocations.ts";
import { kernelLayouts } from "../btf/kernel-layouts.ts";
import { readBtf } from "../btf/read.ts";
import { comparedElf } from "../diff/compiled.fixture.ts";
import { readelf } from "../elf/compiled.fixture.ts";
import { EM, ET, SHF, SHN } from "../elf/constants.ts";
import type { ElfFile, ElfSection } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import { relocationSections, relocationsOf } from "../elf/relocations.ts";
import type { LinkRequest, LinkUnit } from "./input.ts";
import { linkLivepatch } from "./livepatch.ts";

const ORIGINAL = `
  extern int printk(const char *, ...), outside(int);
  static int counter = 5;
  __attribute__((noinline)) static int helper(int n) { counter += n; return counter; }
  int work(int n) { printk("old %d\\n", n); return helper(n) + outside(n); }
`;
const PATCHED = ORIGINAL.replace("old", "new").replace("+ outside", "- outside");

/** As include/linux/livepatch.h has them, on a machine of 64 bits. */
const STRUCTS = `
  struct klp_func { const char *old_name; void *new_func; unsigned long old_sympos; void *old_func; long rest[8]; };
  struct klp_callbacks { void *pre_patch, *post_patch, *pre_unpatch, *post_unpatch; char post_unpatch_enabled; };
  struct klp_object { const char *name; struct klp_func *funcs; struct klp_callbacks callbacks; long rest[9]; void *mod; char dynamic, patched; };
  struct klp_state { unsigned long id; unsigned int version; void *data; };
  struct klp_patch { void *mod; struct klp_object *objs; struct klp_state *states; char replace; long rest[20]; };
  struct module { int state; void *list[2]; char name[56]; long rest[40]; int (*init)(void); long more[60]; void (*exit)(void); };
  struct modversion_info { unsigned long crc; char name[56]; };
  struct klp_func a; struct klp_object b; struct klp_patch c; struct module d; struct modversion_info e; struct klp_state f;
`;

/** What the kernel's BTF would say, in its own byte order. */
function layouts() {
  const section = compiledForS390x(STRUCTS, "-gbtf").sections.find(({ name }) => name === ".BTF");
  return kernelLayouts(readBtf(section?.data ?? Buffer.alloc(0), "unit.c: .BTF"));
}

const found = (name: string, sympos = 0) => ({
  origin: { kind: "livepatch", object: "vmlinux", name, sympos } as const,
  isSealed: false,
});
const exported = (name: string) =>
  ({ kind: "exported", name, crc: 0x01020304, namespace: undefined, module: undefined }) as const;

function linked(): ElfFile {
  const { diff } = comparedElf(compiledForS390x(ORIGINAL), compiledForS390x(PATCHED));
  expect(diff.refusals).toEqual([]);
  const unit: LinkUnit = {
    selection: diff.selection,
    object: "vmlinux",
    surroundings: "the kernel",
    dependencies: new Set(),
    locateFunc: ({ name }) => ({ name, sympos: 3 }),
    locate: ({ name }) => found(name, 2),
    external: (name) => (name === "printk" ? { origin: exported(name), isSealed: false } : found(name)),
  };
  const request: LinkRequest = {
    name: "livepatch_test",
    description: "a test",
    target: {
      arch: s390x,
      release: "6.1.0",
      buildId: "00",
      vermagic: "6.1.0 SMP mod_unload",
      layouts: layouts(),
      layoutCrc: 0x0a0b0c0d,
      hasReturnThunk: false,
      hasRetpoline: false,
      limits: { perCpuReserve: 8192 },
    },
    units: [unit],
    replace: true,
  };
  const outcome = linkLivepatch(request, exported);
  expect(outcome.refusals).toEqual([]);
  expect(outcome.objects).toMatchObject([{ name: "vmlinux", funcs: [{ name: "work", sympos: 3 }] }]);
  const bytes = outcome.write(Buffer.from("{}\n"));
  readelf(bytes, "-aW");
  return readElf(bytes, "livepatch.ko");
}

const file = linked();

function section(name: string): ElfSection {
  const one = file.sections.find((each) => each.name === name);
  if (one === undefined) throw new Error(`there is no ${name}`);
  return one;
}

/** `TYPE SYMBOL+ADDEND` by offset, of all relocation sections of a section. */
function fields(name: string): Record<number, string> {
  const tables = relocationSections(file).get(section(name).index) ?? [];
  const all = tables.flatMap((table) => relocationsOf(file, table));
  return Object.fromEntries(
    all.map(({ offset, type, symbol, addend }) => {
      const target = file.symbols[symbol];
      const of = target?.place.kind === "section" ? file.sections[target.place.section]?.name : undefined;
      return [offset, `${type} ${target?.name || of}+${addend}`];
    }),
  );
}

test("it is a relocatable file for the machine, in its byte order", () => {
  expect(file.header).toMatchObject({ endian: "big", machine: EM.S390, type: ET.REL });
});

test("what the livepatch core binds is in relocation sections of its own, with symbols that say where", () => {
  const { flags } = section(".klp.rela.vmlinux..text");
  expect(flags).toBe(SHF.ALLOC | SHF.INFO_LINK | SHF.RELA_LIVEPATCH);
  const symbols = file.symbols.filter(({ place }) => place.kind === "reserved" && place.value === SHN.LIVEPATCH);
  expect(symbols.map(({ name }) => name).sort()).toEqual([".klp.sym.vmlinux.helper,2", ".klp.sym.vmlinux.outside,0"]);
});

test("the new code is the compiler's, and its fields mean what they meant", () => {
  const { data } = section(".text");
  const start = Number(file.symbols.find(({ name }) => name === "work")?.value);
  // brcl 0,0: what ftrace takes hold of.
  expect(data.subarray(start, start + 6).toString("hex")).toBe("c00400000000");
  // Where struct klp_patch lies is seen below.
  const of = Object.values(fields(".text")).map((each) => each.replace(/ \.data\+\d+$/, " .data"));
  expect(of.sort()).toEqual(
    [
      `${R_390.PC32DBL} .rodata+${2 + section(".rodata").data.indexOf("new %d\n\0")}`,
      `${R_390.PLT32DBL} .klp.sym.vmlinux.helper,2+2`,
      `${R_390.PLT32DBL} .klp.sym.vmlinux.outside,0+2`,
      `${R_390.PLT32DBL} printk+2`,
      // int init(void) { return klp_enable_patch(&patch); }, held, since nothing is followed on this machine.
      `${R_390.PC32DBL} .gnu.linkonce.this_module+2`,
      `${R_390.PLT32DBL} __module_get+2`,
      `${R_390.PC32DBL} .data`,
      `${R_390.PLT32DBL} klp_enable_patch+2`,
    ].sort(),
  );
});

test("the structs of the livepatch core are filled in, in the machine's order", () => {
  const { data } = section(".data");
  const { structs } = layouts();
  const pointers = fields(".data");
  const at = (offset: number) => pointers[offset]?.replace(/^22 /, "");
  const work = Number(file.symbols.find(({ name }) => name === "work")?.value);
  const func =
    Object.keys(pointers)
      .map(Number)
      .find((offset) => at(offset) === `.text+${work}`) ?? Number.NaN;
  const base = func - (structs.klp_func?.offsets["new_func"] ?? 0);
  expect(data.readBigUInt64BE(base + (structs.klp_func?.offsets["old_sympos"] ?? 0))).toBe(3n);
  const name = Number(at(base + (structs.klp_func?.offsets["old_name"] ?? 0))?.replace(".rodata+", ""));
  expect(section(".rodata").data.toString("latin1", name, name + 5)).toBe("work\0");
  const patch =
    Object.keys(pointers)
      .map(Number)
      .find((offset) => at(offset)?.startsWith(".gnu.linkonce.this_module")) ?? Number.NaN;
  expect(data[patch + (structs.klp_patch?.offsets["replace"] ?? 0)]).toBe(1);
});

test("the module's name, entry points, versions and hooks are where the kernel looks for them", () => {
  const { structs } = layouts();
  const self = section(".gnu.linkonce.this_module");
  expect(self.data.toString("latin1", structs.module?.offsets["name"])).toMatch(/^livepatch_test\0/);
  expect(self.alignment).toBe(256);
  const entries = fields(self.name);
  for (const member of ["init", "exit"])
    expect(entries[structs.module?.offsets[member] ?? -1]).toMatch(/^22 \.text\+\d+$/);
  const versions = section("__versions").data;
  expect(versions.readUInt32BE(0)).toBe(0x0a0b0c0d);
  expect(versions.toString("latin1", 8)).toMatch(/^module_layout\0/);
  expect(fields("__mcount_loc")).toEqual({ 0: expect.stringMatching(/^22 \.text\+\d+$/) });
});
