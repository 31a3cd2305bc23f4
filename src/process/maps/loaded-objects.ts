/** The objects that a process has loaded, by its memory: the executable, libraries, and what else it maps and runs. */
import { PF, PT } from "../../elf/constants.ts";
import type { Mapping } from "../os/mappings.ts";
import { nativeWords, PAGE } from "../os/native.ts";
import { type DynamicObject, type KnownSymbols, readDynamic } from "./dynamic.ts";
import type { LoadedObject } from "./loaded-object.ts";
import { type MappedElf, type ReadMemory, readMappedElf, tried } from "./mapped-elf.ts";

const DELETED = " (deleted)";

/** Device and inode: what tells files from one another, in any mount namespace. */
export function fileOf({ device, inode }: Mapping): string {
  return `${device} ${inode}`;
}

/**
 * Where ELF objects may start: mappings of a file's start, where some of the same file can be
 * executed, or what lies behind it up to the next file. For a program may have put other memory
 * in the place of its own code, huge pages mostly.
 */
export function objectMappings(mappings: readonly Mapping[]): Mapping[] {
  const executed = new Set(mappings.filter(({ executable }) => executable).map(fileOf));
  let isExecutedBehind = false;
  const found: Mapping[] = [];
  for (const mapping of mappings.toReversed()) {
    isExecutedBehind ||= mapping.executable && !mapping.name.startsWith("[");
    if (mapping.inode === 0 || mapping.offset !== 0) continue;
    if (mapping.readable && (executed.has(fileOf(mapping)) || isExecutedBehind)) found.push(mapping);
    if (!mapping.executable) isExecutedBehind = false;
  }
  return found.reverse();
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
    if (elf === undefined || !isRun(elf, mappings) || objects.some((each) => each.elf.start === elf.start)) continue;
    const isExecutable = entry >= elf.start && entry < elf.end;
    objects.push(new Loaded(mapping, { elf, isExecutable }, read, known));
  }
  return inLookupOrder(objects, read);
}

/** A file that is read as data is mapped, too: its code is not. */
function isRun({ segments, bias }: MappedElf, mappings: readonly Mapping[]): boolean {
  const code = segments
    .filter(({ type, flags }) => type === PT.LOAD && (flags & PF.X) !== 0)
    .map(({ address, memorySize }) => ({ start: bias + address - (address % PAGE), end: bias + address + memorySize }));
  return mappings.some(
    (each) => each.executable && code.some(({ start, end }) => each.start >= start && each.start < end),
  );
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

  constructor(
    mapping: Mapping,
    { elf, isExecutable }: Pick<LoadedObject, "elf" | "isExecutable">,
    read: ReadMemory,
    known: KnownSymbols,
  ) {
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
  const words = nativeWords();
  tried(() => {
    let at = debug === 0 ? 0 : words.size(read(debug + 8, 8), 0);
    for (let index = 0; at !== 0 && index < MAX_LINKS; index++) {
      const link = read(at, 32);
      const bias = words.size(link, 0);
      if (!biases.has(bias)) biases.set(bias, index);
      at = words.size(link, 24);
    }
  });
  for (const object of objects) object.isListed = biases.has(object.elf.bias);
  const rank = ({ elf }: LoadedObject) => biases.get(elf.bias) ?? MAX_LINKS;
  return objects.toSorted((a, b) => rank(a) - rank(b));
}
