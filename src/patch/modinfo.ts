import type { ElfFile } from "../elf/model.ts";

/** What a module says of itself in `.modinfo`: `key=value` strings; a key may come more than once. */
export interface ModuleInfo {
  /** Normalised; undefined where the module does not say. */
  readonly name: string | undefined;
  readonly vermagic: string | undefined;
  readonly version: string | undefined;
  /** Modules whose symbols it uses, normalised. */
  readonly depends: readonly string[];
  /** Modules that it wants loaded before, if they are there (`softdep: pre:`), normalised. */
  readonly softDepends: readonly string[];
  readonly aliases: readonly string[];
  /** Whether it carries `livepatch=Y`. */
  readonly livepatch: boolean;
}

/**
 * Reads `.modinfo` (the kernel's include/linux/moduleparam.h); of a file without one
 * all lists are empty. A key that should come once and comes more often counts as the
 * first.
 */
export function moduleInfoOf(elf: ElfFile): ModuleInfo {
  const section = elf.sections.find((each) => each.name === ".modinfo");
  const pairs = (section?.data.toString("latin1") ?? "").split("\0").flatMap((text) => {
    const equals = text.indexOf("=");
    return equals < 0 ? [] : [[text.slice(0, equals), text.slice(equals + 1)] as const];
  });
  const all = (key: string): string[] => pairs.filter(([each]) => each === key).map(([, value]) => value);
  const name = all("name")[0];
  return {
    name: name === undefined ? undefined : moduleName(name),
    vermagic: all("vermagic")[0]?.trim(),
    version: all("version")[0]?.trim(),
    depends: all("depends").flatMap((list) =>
      list
        .split(",")
        .filter((each) => each !== "")
        .map(moduleName),
    ),
    softDepends: all("softdep").flatMap(preSoftDepends),
    aliases: all("alias"),
    livepatch: all("livepatch").includes("Y"),
  };
}

/** The kernel's spelling: a module's file may be called a-b.ko, the module is a_b. */
export function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}

/** `pre: a b post: c` gives a and b. */
function preSoftDepends(text: string): string[] {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const names: string[] = [];
  let pre = false;
  for (const word of words) {
    if (word.endsWith(":")) pre = word === "pre:";
    else if (pre) names.push(moduleName(word));
  }
  return names;
}
