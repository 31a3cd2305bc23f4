/** The objects that a process has loaded, by its memory: the executable, libraries, and what else it maps and runs. */
import { type DynamicObject, type KnownSymbols, readDynamic } from "./load/dynamic.ts";
import type { LoadedObject } from "./load/loaded-object.ts";
import { type MappedElf, type ReadMemory, readMappedElf, tried } from "./load/mapped-elf.ts";
import type { Mapping } from "./unwind/mappings.ts";

const DELETED = " (deleted)";

/** Device and inode: what tells files from one another, in any mount namespace. */
export function fileOf({ device, inode }: Mapping): string {
  return `${device} ${inode}`;
}

/** Where ELF objects start: mappings of a file's start, where some of the same file can be executed. */
export function objectMappings(mappings: readonly Mapping[]): Mapping[] {
  const files = mappings.filter(({ inode }) => inode !== 0);
  const executed = new Set(files.filter(({ executable }) => executable).map(fileOf));
  return files.filter((mapping) => mapping.offset === 0 && mapping.readable && executed.has(fileOf(mapping)));
}

/** @param entry address at which the process was started (AT_ENTRY), which lies in its executable */
export function loadedObjects(
  mappings: readonly Mapping[],
  read: ReadMemory,
  entry: number,
  known: KnownSymbols,
): LoadedObject[] {
  const objects: Loaded[] = [];
  for (const mapping of objectMappings(mappings)) {
    const elf = readMappedElf(mapping.start, read);
    // A file that is read as data is mapped, too: its code is not.
    const file = fileOf(mapping);
    const isRun = mappings.some(
      (each) =>
        elf !== undefined && each.executable && fileOf(each) === file && each.start >= elf.start && each.end <= elf.end,
    );
    if (elf === undefined || !isRun || objects.some((each) => each.elf.start === elf.start)) continue;
    objects.push(new Loaded(mapping, elf, entry >= elf.start && entry < elf.end, read, known));
  }
  return inLookupOrder(objects, read);
}

class Loaded implements LoadedObject {
  readonly path: string;
  readonly isDeleted: boolean;
  readonly file: string;
  readonly elf: MappedElf;
  readonly isExecutable: boolean;
  isListed = false;
  readonly #read: ReadMemory;
  readonly #known: KnownSymbols;
  #dynamic: { readonly value: DynamicObject | undefined } | undefined;

  constructor(mapping: Mapping, elf: MappedElf, isExecutable: boolean, read: ReadMemory, known: KnownSymbols) {
    const { name } = mapping;
    this.file = fileOf(mapping);
    this.isDeleted = name.endsWith(DELETED);
    this.path = this.isDeleted ? name.slice(0, -DELETED.length) : name;
    this.elf = elf;
    this.isExecutable = isExecutable;
    this.#read = read;
    this.#known = known;
  }

  /** Read when it is asked for: most objects of a process are never looked into. */
  get dynamic(): DynamicObject | undefined {
    this.#dynamic ??= { value: readDynamic(this.elf, this.#read, this.file, this.#known) };
    return this.#dynamic.value;
  }
}

const MAX_LINKS = 4096;

/** The dynamic linker's own list (struct link_map) has objects in the order of lookup; those that it does not have come last. */
function inLookupOrder(objects: readonly Loaded[], read: ReadMemory): LoadedObject[] {
  const debug = objects.find(({ isExecutable }) => isExecutable)?.dynamic?.debug ?? 0;
  const biases = new Map<number, number>();
  tried(() => {
    let at = debug === 0 ? 0 : Number(read(debug + 8, 8).readBigUInt64LE(0));
    for (let index = 0; at !== 0 && index < MAX_LINKS; index++) {
      const link = read(at, 32);
      const bias = Number(link.readBigUInt64LE(0));
      if (!biases.has(bias)) biases.set(bias, index);
      at = Number(link.readBigUInt64LE(24));
    }
  });
  for (const object of objects) object.isListed = biases.has(object.elf.bias);
  const rank = ({ elf }: LoadedObject) => biases.get(elf.bias) ?? MAX_LINKS;
  return objects.toSorted((a, b) => rank(a) - rank(b));
}
