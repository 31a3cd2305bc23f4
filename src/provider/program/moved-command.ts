/** A compile's command for a copy or a view of its tree, whose code is that of the tree itself. */
import { realpathSync } from "node:fs";
import { isAbsolute, join, normalize, resolve } from "node:path";
import type { CompileCommand } from "./command-line.ts";

/** Options whose value is a path, in the same word or the next. */
const PATH_OPTION =
  /^(-I|-isystem|-iquote|-idirafter|-include|-imacros|--include=|-iprefix|-fplugin=|-specs=|@)?(.*)$/s;
/** Maps that decide what `__FILE__` is. */
const PREFIX_MAP = /^-f(?:file|macro)-prefix-map=([^=]*)=(.*)$/s;

/**
 * The same command with `view` in the tree's place. What the tree's paths put
 * into code (`__FILE__`) stays as it was, whichever way the command spells them.
 * @param tree absolute, without symlinks
 */
export function movedCommand(command: CompileCommand, tree: string, view: string): CompileCommand {
  const { directory } = command;
  const within = inside(directory, tree);
  const spellings = new Spellings(tree, view, command.args);
  const move = (path: string): string => {
    if (!isAbsolute(path) && within !== undefined && !leaves(path, within)) return path;
    const split = splitAtTree(path, directory, tree);
    return split === undefined ? path : spellings.inView(split.root) + split.rest;
  };
  const args: string[] = [];
  let isValue = false;
  for (const arg of command.args) {
    if (isValue) args.push(move(arg));
    else if (arg.startsWith("-") || arg.startsWith("@")) {
      const [, option = "", path = ""] = PATH_OPTION.exec(arg) as RegExpExecArray;
      args.push(option === "" || path === "" ? arg : `${option}${move(path)}`);
    } else args.push(move(arg));
    isValue = !isValue && /^-(I|isystem|iquote|idirafter|include|imacros|iprefix)$/.test(arg);
  }
  const source = move(command.source);
  return {
    ...command,
    directory: within === undefined ? directory : join(view, within),
    source,
    args: [...args, ...spellings.maps()],
  };
}

/** Several spellings of one directory, told apart by how the view's is spelled. */
class Spellings {
  readonly #view: string;
  readonly #roots: string[];
  /** Old and new prefix, as the command has them. */
  readonly #maps: (readonly [string, string])[];

  constructor(tree: string, view: string, args: readonly string[]) {
    this.#view = view;
    this.#roots = [tree];
    this.#maps = args.flatMap((arg) => {
      const [, from, to] = PREFIX_MAP.exec(arg) ?? [];
      return from === undefined || to === undefined ? [] : [[from, to] as const];
    });
  }

  inView(root: string): string {
    if (!this.#roots.includes(root)) this.#roots.push(root);
    return this.#view + "/.".repeat(this.#roots.indexOf(root));
  }

  /** Of maps the last one that fits counts: so each spelling's are the command's own, in its order. */
  maps(): string[] {
    return this.#roots.flatMap((root, i) => {
      const own = this.inView(root) + (i === 0 ? "" : "/");
      const spelled = root + (i === 0 ? "" : "/");
      const moved = this.#maps.flatMap(([from, to]) => {
        if (spelled.startsWith(from)) return [[own, to + spelled.slice(from.length)]];
        return from.startsWith(spelled) ? [[own + from.slice(spelled.length), to]] : [];
      });
      return [[own, spelled], ...moved].map(([from, to]) => `-fmacro-prefix-map=${from}=${to}`);
    });
  }
}

/** Whether a path that starts in `within` of a tree is ever outside of the tree. */
function leaves(path: string, within: string): boolean {
  let depth = within === "." ? 0 : within.split("/").length;
  return path.split("/").some((part) => {
    if (part === "..") depth--;
    else if (part !== "." && part !== "") depth++;
    return depth < 0;
  });
}

/** The path as the part that names the tree, and what follows it; undefined for one that ends outside. */
function splitAtTree(path: string, directory: string, tree: string): { root: string; rest: string } | undefined {
  const parts = path.split("/");
  for (let i = 1; i <= parts.length; i++) {
    const root = parts.slice(0, i).join("/");
    if (root === "" || realPath(isAbsolute(root) ? root : `${directory}/${root}`) !== tree) continue;
    const rest = parts.slice(i);
    if (!leaves(rest.join("/"), ".")) return { root, rest: rest.map((part) => `/${part}`).join("") };
  }
  const end = inside(realPath(resolve(directory, path)), tree);
  return end === undefined ? undefined : { root: tree, rest: end === "." ? "" : `/${end}` };
}

/** As the kernel follows it; one that is not there, as it is written. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return normalize(path).replace(/(?<=.)\/$/, "");
  }
}

/** The path from `tree` on; undefined for one that is outside of it. */
export function inside(path: string, tree: string): string | undefined {
  if (path === tree || path === `${tree}/`) return ".";
  return path.startsWith(`${tree}/`) ? path.slice(tree.length + 1) : undefined;
}
