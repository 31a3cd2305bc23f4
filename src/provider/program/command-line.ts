/** A compiler's command line, as a build system or our recorder wrote it down. */
import { readFileSync } from "node:fs";
import { basename, isAbsolute, join, normalize } from "node:path";

/** One compile of one C or C++ file, by all that its object depends on. */
export interface CompileCommand {
  /** What ran, as it was named. */
  readonly compiler: string;
  /** Absolute: where it ran. */
  readonly directory: string;
  /** As it was named, relative to `directory` or absolute. */
  readonly source: string;
  /** All that decides what code comes out: without source, object, lists of dependencies and debug information. */
  readonly args: readonly string[];
  /** Variables of the environment that decide what code comes out too; none of them set where it is undefined. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Absolute; undefined where the object is not kept, as when a program is compiled and linked in one. */
  readonly object: string | undefined;
}

/** Languages that are compiled to objects of which livepatches are made. */
const SOURCE = /\.(c|cc|cp|cpp|cxx|CPP|c\+\+|C|i|ii)$/;

/** Options that take the next argument. */
const TAKES_NEXT = new Set(
  (
    "-I -D -U -L -l -x -include -imacros -isystem -iquote -idirafter -iprefix -iwithprefix -iwithprefixbefore " +
    "-isysroot -imultilib -Xpreprocessor -Xassembler -Xlinker -T -u -z -e -h --param -A -B -G -arch -wrapper " +
    "-target -specs -R -rpath -soname -version-info -export-symbols"
  ).split(" "),
);
/** Of those, the ones that say nothing about code and go with the linker. */
const LINKS = /^-(L|l|Xlinker|T|u|z|R|rpath|soname|version-info|export-symbols|e|h)$/;
/** What the compiler tells of its work in files beside the source or the object, or on its way, and no code is made of. */
const DUMPS =
  /^-(fdump-.*|d[ADHIMNPU]|da|dp|fstack-usage|fcallgraph-info.*|fopt-info.*|fsave-optimization-record.*|ftime-report.*|fmem-report.*|fprofile-report|fprofile-note=.*|Q|Wa,-a[a-z]*(=.*)?)$/;
/** Of those, the ones that take the next argument. */
const DUMPS_TO = new Set(["-aux-info", "-dumpbase", "-dumpbase-ext", "-dumpdir"]);
/** Lists of dependencies and what only goes with them; debug information; programs' temporary files; diagnostics' looks. */
const DROPPED =
  /^-(M[MDGP]*|g(\d|$|dwarf|gdb|btf|ctf|z|split|pubnames|record|column|statement|variable|inline|internal|toggle|stabs|xcoff|coff|vms|no-|strict|describe|as-).*|save-temps.*|fdiagnostics.*|Wp,-M.*|c|v|pipe)$/;
/** What comes out is text, the code of a machine that there is not (LLVM's), or nothing. */
const NO_OBJECT = /^(-E|-S|-M|-MM|-emit-llvm|-emit-ast|-fsyntax-only|-###)$/;
const DEPENDENCY_FILE = /^-(MF|MT|MQ)$/;

/**
 * The compiles that a command line stands for, one a source file; none where it
 * only links, preprocesses or asks the compiler something.
 */
export function compilesOf(
  argv: readonly string[],
  directory: string,
  env?: Readonly<Record<string, string>>,
): CompileCommand[] {
  const [compiler, ...words] = argv;
  if (compiler === undefined) return [];
  const rest = words.flatMap((word) => wordsOf(word, directory));
  const args: string[] = [];
  const sources: string[] = [];
  let output: string | undefined;
  let stopsEarly = false;
  let compilesOnly = false;
  for (let i = 0; i < rest.length; i++) {
    const arg = rest[i] as string;
    if (NO_OBJECT.test(arg)) stopsEarly = true;
    if (arg === "-c") compilesOnly = true;
    if (arg === "-o") output = rest[++i];
    else if (arg.startsWith("-o") && arg.length > 2 && !arg.startsWith("-obj")) output = arg.slice(2);
    else if (DEPENDENCY_FILE.test(arg) || DUMPS_TO.has(arg)) i++;
    else if (/^-M[FTQ]./.test(arg) || DROPPED.test(arg) || DUMPS.test(arg)) continue;
    else if (TAKES_NEXT.has(arg)) {
      const value = rest[++i];
      if (value !== undefined && !LINKS.test(arg)) args.push(arg, value);
    } else if (!arg.startsWith("-") && SOURCE.test(arg)) sources.push(arg);
    else if (arg.startsWith("-") && !/^-([Ll]|Wl,)/.test(arg) && arg !== "-") args.push(arg);
  }
  if (stopsEarly) return [];
  const object = compilesOnly && sources.length === 1 ? output : undefined;
  return sources.map((source) => ({
    compiler,
    directory,
    source,
    args,
    env,
    object: absolute(object ?? (compilesOnly ? withObjectEnding(source) : undefined), directory),
  }));
}

const DEEPEST = 8;

/** `@FILE` stands for the words of a file, which may name others (gcc(1)); for itself where there is none. */
function wordsOf(word: string, directory: string, depth = 0): string[] {
  if (!word.startsWith("@") || depth === DEEPEST) return [word];
  let text: string;
  try {
    text = readFileSync(join(isAbsolute(word.slice(1)) ? "" : directory, word.slice(1)), "utf8");
  } catch {
    return [word];
  }
  return shellWords(text).flatMap((each) => wordsOf(each, directory, depth + 1));
}

function withObjectEnding(source: string): string {
  return basename(source).replace(SOURCE, ".o");
}

function absolute(path: string | undefined, directory: string): string | undefined {
  return path === undefined ? undefined : isAbsolute(path) ? normalize(path) : join(directory, path);
}

/** The words of a command that was written for a shell, as JSON compilation databases have it. */
export function shellWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] as string;
    if (quote === "'") {
      if (letter === "'") quote = undefined;
      else word += letter;
    } else if (letter === "\\" && i + 1 < text.length) {
      const next = text[++i] as string;
      word = (word ?? "") + (quote === '"' && !'"\\$`\n'.includes(next) ? `\\${next}` : next === "\n" ? "" : next);
    } else if (quote === '"') {
      if (letter === '"') quote = undefined;
      else word += letter;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
      word ??= "";
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + letter;
  }
  if (word !== undefined) words.push(word);
  return words;
}
