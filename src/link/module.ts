/** What makes a relocatable file a module: struct module, modinfo, CRCs, and the code that registers the livepatch. */
import type { MachineCode } from "../arch/module-code.ts";
import { SHF, STT } from "../elf/constants.ts";
import type { FieldTarget, Image, OutputSection } from "./image.ts";
import type { LinkRequest, LinkTarget, Origin } from "./input.ts";
import { layoutOf, offsetIn } from "./klp.ts";

const THIS_MODULE_SECTION = ".gnu.linkonce.this_module";

/** Symbols that the module's own code needs of the kernel. */
export type Imports = (name: string) => FieldTarget;

/**
 * Lays down struct module with the name in it, all else zero; its pointers to code are
 * `placeEntryPoints`' to fill in. Throws what `layoutOf` throws.
 */
export function placeThisModule(
  image: Image,
  { name, target }: LinkRequest,
): FieldTarget & { readonly kind: "section" } {
  const layout = layoutOf(target.layouts, "module");
  const section = image.section(THIS_MODULE_SECTION, SHF.ALLOC | SHF.WRITE);
  const data = Buffer.alloc(layout.size);
  data.write(name, offsetIn(layout, "module", "name"), "latin1");
  const offset = section.append(data, data.length, image.arch.kernel.cacheLine);
  image.symbols.push({
    name: "__this_module",
    section,
    value: offset,
    size: data.length,
    type: STT.OBJECT,
    isGlobal: true,
  });
  return { kind: "section", section, offset };
}

/** A module as it is linked. */
export interface LinkedModule {
  readonly image: Image;
  readonly target: LinkTarget;
  readonly thisModule: FieldTarget & { readonly kind: "section" };
  readonly imports: Imports;
}

/**
 * init and exit, and struct module's pointers to them.
 * @param patch struct klp_patch
 * @param isHeld whether the module, once it is there, holds itself
 */
export function placeEntryPoints(
  { image, target, thisModule, imports }: LinkedModule,
  patch: FieldTarget,
  isHeld: boolean,
): void {
  const layout = layoutOf(target.layouts, "module");
  const { moduleCode } = image.arch.kernel;
  const known: Readonly<Record<string, FieldTarget>> = { patch, __this_module: thisModule };
  const entries = [
    { member: "init", name: "init_module", code: moduleCode.init(target, isHeld) },
    { member: "exit", name: "cleanup_module", code: moduleCode.exit(target) },
  ];
  for (const { member, name, code } of entries) {
    const at = placeCode({ name, code, isGlobal: true }, image, (symbol) => known[symbol] ?? imports(symbol));
    thisModule.section.fields.push({
      offset: thisModule.offset + offsetIn(layout, "module", member),
      type: image.arch.elf.relocations.pointer,
      target: at,
      addend: 0,
    });
  }
}

/** The callbacks that switch a module's exit function to its new version and back. */
export function placeExitSwitch(
  { image, target, thisModule, imports }: LinkedModule,
  object: string,
  exits: { readonly patched: FieldTarget; readonly original: FieldTarget },
): { readonly pre_patch: FieldTarget; readonly post_unpatch: FieldTarget } {
  const offsets = {
    mod: offsetIn(layoutOf(target.layouts, "klp_object"), "klp_object", "mod"),
    exit: offsetIn(layoutOf(target.layouts, "module"), "module", "exit"),
  };
  const known: Readonly<Record<string, FieldTarget>> = { ...exits, __this_module: thisModule };
  const place = (symbol: "patched" | "original", reference: "__module_get" | "module_put") => {
    const code = image.arch.kernel.moduleCode.setModuleExit(symbol, reference, offsets, target);
    const func = { name: `suture_exit_${symbol}_${object}`, code, isGlobal: false };
    return placeCode(func, image, (name) => known[name] ?? imports(name));
  };
  return { pre_patch: place("patched", "__module_get"), post_unpatch: place("original", "module_put") };
}

function placeCode(
  { name, code, isGlobal }: { readonly name: string; readonly code: MachineCode; readonly isGlobal: boolean },
  image: Image,
  meaning: (symbol: string) => FieldTarget,
): FieldTarget & { readonly kind: "section" } {
  const section = image.text();
  const offset = section.append(code.bytes, code.bytes.length, 16);
  for (const field of code.fields) {
    const { type, addend } = field;
    section.fields.push({ offset: offset + field.offset, type, target: meaning(field.symbol), addend });
  }
  for (const site of code.sites) placeSite(image, site.section, section, offset + site.at);
  image.symbols.push({ name, section, value: offset, size: code.bytes.length, type: STT.FUNC, isGlobal });
  return { kind: "section", section, offset };
}

function placeSite(image: Image, name: string, section: OutputSection, site: number): void {
  const table = image.section(name, SHF.ALLOC);
  const offset = table.append(Buffer.alloc(4), 4, 4);
  table.fields.push({
    offset,
    type: image.arch.elf.relocations.distance,
    target: { kind: "section", section, offset: site },
    addend: 0,
  });
}

/**
 * What modprobe and the kernel read of a module before it is loaded. `origins` are all
 * that the livepatch is bound to: exports of modules make them dependencies.
 */
export function placeModinfo(image: Image, request: LinkRequest, origins: readonly Origin[]): void {
  const { target, name, patchVersion, description } = request;
  const exported = origins.filter((origin) => origin.kind === "exported");
  const namespaces = new Set(exported.flatMap(({ namespace }) => (namespace === undefined ? [] : [namespace])));
  const depends = new Set(exported.flatMap(({ module }) => (module === undefined ? [] : [module])));
  const lines = [
    "license=GPL",
    "livepatch=Y",
    `description=${description}`,
    ...(patchVersion === undefined ? [] : [`version=${patchVersion}`]),
    ...[...namespaces].sort().map((namespace) => `import_ns=${namespace}`),
    `depends=${[...depends].sort().join(",")}`,
    ...(target.hasRetpoline ? ["retpoline=Y"] : []),
    `name=${name}`,
    `vermagic=${target.vermagic}`,
  ];
  const data = Buffer.from(lines.map((line) => `${line}\0`).join(""), "latin1");
  image.section(".modinfo", SHF.ALLOC).append(data, data.length, 1);
}

/** One struct modversion_info for each symbol that the module loader binds: its CRC, and its name in a fixed field. */
export function placeVersions(image: Image, { target }: LinkRequest, origins: readonly Origin[]): void {
  if (target.layoutCrc === undefined) return;
  const layout = layoutOf(target.layouts, "modversion_info");
  const nameAt = offsetIn(layout, "modversion_info", "name");
  const rows: [string, number][] = [["module_layout", target.layoutCrc]];
  for (const origin of origins) if (origin.kind === "exported") rows.push([origin.name, origin.crc]);
  const section = image.section("__versions", SHF.ALLOC);
  for (const [name, crc] of rows) {
    const data = Buffer.alloc(layout.size);
    image.arch.elf.words.setU32(data, 0, crc);
    data.write(name, nameAt, layout.size - nameAt - 1, "latin1");
    section.append(data, data.length, 32);
  }
}
