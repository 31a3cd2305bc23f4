/** The units of a module that was built out of the kernel's tree, by the records of its build. */
import { readFile } from "node:fs/promises";
import { basename, isAbsolute, join, normalize } from "node:path";
import type { Lands, Unit } from "../kernel/unit.ts";
import { type RecordedCommand, recordedCommands, withoutWrappers } from "./recorded-commands.ts";

/** Where, below a module's source, the tree of its kernel is to lie, whose headers it is compiled with. */
export const KERNEL_TREE = ".kernel";
/** Where, below a kernel's modules, those lie that are not of its own tree; as `make modules_install` has it. */
export const EXTRA = "extra";

/** A module's directory, as make has left it. */
export interface RecordedModules {
  /** Compiled in a tree that has the module's source at its root and the kernel's at `KERNEL_TREE`. */
  readonly units: readonly Unit[];
  /** Paths without .ko, below the directory. */
  readonly modules: readonly string[];
  /** What compiled them, as it was named. */
  readonly compilers: readonly string[];
}

/** Nothing of it where make has left no record. */
export async function recordedModules(directory: string): Promise<RecordedModules> {
  const commands = await recordedCommands(directory);
  const lists = new Map<string, ReadonlySet<string>>();
  for (const { path, target } of commands.filter((each) => each.path.endsWith(".mod"))) {
    const text = await readFile(join(directory, path), "utf8").catch(() => "");
    const prefix = target.slice(0, target.length - path.length);
    const objects = text
      .split(/\s+/)
      .map((object) => (object.startsWith(prefix) ? object.slice(prefix.length) : object));
    lists.set(path.slice(0, -".mod".length), new Set(objects.map((object) => normalize(object))));
  }
  const units: Unit[] = [];
  const compilers = new Set<string>();
  for (const command of commands) {
    const compile = compileOf(command);
    if (compile === undefined || isOfBuild(compile.source)) continue;
    const inModules = [...lists].filter(([, objects]) => objects.has(command.path)).map(([name]) => name);
    compilers.add(compile.compiler);
    units.push(unitOf(command, compile, inModules, commands));
  }
  return { units, modules: [...lists.keys()], compilers: [...compilers] };
}

interface Compile {
  readonly compiler: string;
  /** As it was named. */
  readonly source: string;
  readonly words: readonly string[];
}

function compileOf({ path, runs: [first = []] }: RecordedCommand): Compile | undefined {
  const [compiler, ...words] = withoutWrappers(first);
  const source = words.at(-1);
  if (compiler === undefined || source === undefined || !path.endsWith(".o")) return undefined;
  return words.includes("-c") && source.endsWith(".c") ? { compiler, source, words: words.slice(0, -1) } : undefined;
}

/** What modpost writes, and what newer kernels link with every module. */
function isOfBuild(source: string): boolean {
  return source.endsWith(".mod.c") || /(^|\/)(\.?module-common)\.c$/.test(source);
}

function unitOf(
  command: RecordedCommand,
  compile: Compile,
  inModules: readonly string[],
  all: readonly RecordedCommand[],
): Unit {
  const places = new Places(command, compile);
  // Where objtool is late it looks at all objects of a module together.
  const linked = inModules.flatMap((name) => all.filter(({ path }) => path === `${name}.o`));
  const checked = [command, ...linked].flatMap(({ runs }) =>
    runs.filter(([program = ""]) => basename(program) === "objtool"),
  );
  const lands: Lands =
    inModules.length === 0
      ? { kind: "elsewhere" }
      : { kind: "module", modules: inModules.map((name) => `${EXTRA}/${name}`) };
  return {
    source: places.here(compile.source),
    object: command.path,
    lands,
    args: [...moved(compile.words, places), ...places.maps()],
    objtool: checked[0]?.slice(1, -1),
  };
}

/** Options whose value is a path, in the same word or the next. */
const PATH_OPTION = /^(-I|-isystem|-iquote|-idirafter|-include|-imacros|-iprefix|-fplugin=|-specs=)(.*)$/s;
const PREFIX_MAP = /^(-f(?:file|macro|debug)-prefix-map=)([^=]*)(=.*)$/s;

/** Without what names files that are made, and with the paths of the tree that the compile is to run in. */
function moved(words: readonly string[], places: Places): string[] {
  const args: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const [, option = "", path = ""] = PATH_OPTION.exec(word) ?? [];
    const [, map, from = "", to = ""] = PREFIX_MAP.exec(word) ?? [];
    if (word === "-o") i++;
    else if (word === "-c" || word.startsWith("-Wp,-MMD,") || word.startsWith("-Wp,-MD,")) continue;
    else if (map !== undefined) args.push(`${map}${places.prefix(from)}${to}`);
    else if (option === "") args.push(word);
    else if (path !== "") args.push(`${option}${places.here(path)}`);
    else args.push(word, places.here(words[++i] ?? ""));
  }
  return args;
}

/** Of the paths of one compile, what they are in the tree that it is to run in. */
class Places {
  /** Of the module's directory, as make called it, with a slash; empty where make ran in it. */
  readonly #own: string;
  /** Directories of the kernel, with a slash; one that is relative is where make ran. */
  readonly #kernel: readonly string[];

  constructor({ target, path }: RecordedCommand, { words }: Compile) {
    this.#own = target.slice(0, target.length - path.length);
    const included = words.flatMap((word, i) => (words[i - 1] === "-include" ? word : []));
    const ends = [
      ...included.map((word) => /^(.*\/)include\/linux\/kconfig\.h$/.exec(word)?.[1]),
      ...words.map((word) => /^-I(.*\/)arch\/\w+\/include\/generated$/.exec(word)?.[1]),
    ];
    const relative = this.#own === "" ? [] : ["./", ""];
    this.#kernel = [...new Set([...ends.flatMap((end) => end ?? []), ...relative])];
  }

  here(path: string): string {
    const slashed = `${path}/`;
    if (this.#own === "") {
      // It runs in the module's directory here too.
      if (!isAbsolute(path)) return path;
    } else if (slashed.startsWith(this.#own)) return dotted(path.slice(this.#own.length));
    const root = this.#kernel.find((each) => (each === "" ? !isAbsolute(path) : slashed.startsWith(each)));
    return root === undefined ? path : join(KERNEL_TREE, path.slice(root.length));
  }

  /** The start of the names that a compile's `__FILE__` has, `./=` for one. */
  prefix(from: string): string {
    return this.#kernel.includes(from) && from !== "" ? `${KERNEL_TREE}/` : from;
  }

  /** `__FILE__` is what it was: files of the module are named from there, and the compile has them by `./`. */
  maps(): string[] {
    return this.#own === "" ? [] : [`-fmacro-prefix-map=./=${this.#own}`];
  }
}

/** So that all that is found from there begins alike. */
function dotted(path: string): string {
  const plain = path.replace(/^(\.\/)+/, "");
  return plain === "" || plain === "." ? "." : `./${plain}`;
}
