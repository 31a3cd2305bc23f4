import { type Kbuild, kbuildFailed, makeDirectory } from "./kbuild.ts";
import { splitWords } from "./kbuild-words.ts";
import type { Lands, Unit } from "./unit.ts";

/** All that kbuild would compile with this configuration, in no order that means anything. */
export interface Walk {
  readonly units: readonly Unit[];
  /** C files and headers that kbuild makes before it compiles, or would if it had the programs for it. */
  readonly generated: readonly string[];
}

const MARK = "suture|";

/**
 * Each of kbuild's ways to make something prints what it would do instead.
 * The dry run (-n) descends into all directories; -k and .DEFAULT get past what
 * is missing in a tree that was never built.
 */
const DRY_RUN = [
  "-n",
  "-k",
  "KBUILD_BUILTIN=1",
  "KBUILD_MODULES=1",
  "need-builtin=1",
  "need-modorder=1",
  `--eval=.DEFAULT: ; $(pound)${MARK}made|missing|$@|`,
  `if_changed_rule=$(pound)${MARK}$(1)|$@|$<|$(part-of-module)|$(modfile)|$(is-standard-object)|$(objtool-enabled)|$(delay-objtool)|$(objtool-args)|$(cmd_$(1))`,
  `if_changed=$(pound)${MARK}made|$(1)|$@|$^`,
  `if_changed_dep=$(pound)${MARK}made|$(1)|$@|`,
  `filechk=$(pound)${MARK}made|$(1)|$@|`,
  `cmd=$(pound)${MARK}made|$(1)|$@|`,
];

/** What C files take in; one of them has no ending. */
const INCLUDED = /\.[ch]$|^certs\/blacklist_hash_list$/;

/** Linked into the boot loader's stub, not into vmlinux. */
const STUB = "drivers/firmware/efi/libstub/";

/** Throws `KBUILD_FAILED`. */
export async function walkKbuild(kbuild: Kbuild, jobs: number, signal?: AbortSignal): Promise<Walk> {
  const result = await makeDirectory(kbuild, ".", [`-j${jobs}`, "-Oline", ...DRY_RUN], signal);
  // Made from programs for other processor modes, or for user space.
  const { notKernel } = kbuild.arch.kernel.sources;
  const compiles: string[] = [];
  const generated: string[] = [];
  const inVmlinux = new Set<string>();
  for (const line of result.stdout.split("\n")) {
    const at = line.indexOf(MARK);
    if (at < 0 || at > 1) continue;
    const said = line.slice(at + MARK.length);
    const [kind, ...fields] = said.split("|", 4);
    if (kind === "cc_o_c") compiles.push(said);
    else if (kind === "made") {
      const [how = "", target = "", from = ""] = fields;
      if (how === "ar_builtin" || (how === "ar" && !target.startsWith(STUB))) {
        for (const object of from.split(" ")) inVmlinux.add(object);
      }
      if (INCLUDED.test(target) && !notKernel.test(target)) generated.push(target);
    }
  }
  if (compiles.length === 0) throw kbuildFailed(kbuild.tree, result);
  return { units: compiles.map((said) => unitOf(said, inVmlinux)), generated: [...new Set(generated)] };
}

function unitOf(said: string, inVmlinux: ReadonlySet<string>): Unit {
  const [, object = "", source = "", ofModule, modfile = "", standard, enabled, delayed, objtoolArgs = "", ...command] =
    said.split("|");
  const lands = landing(object, ofModule === "y", modfile, inVmlinux);
  const words = splitWords(command.join("|"));
  const end = words.indexOf(";");
  const args = compileArguments(words.slice(1, end < 0 ? undefined : end), source);
  const alone = lands.kind === "module" && lands.modules.some((path) => `${path}.o` === object);
  // Where objtool is delayed, it looks at vmlinux.o or at the linked module, exceptions for single files unheeded.
  const checked = delayed === "y" ? !alone || standard === "y" : enabled === "y";
  return { source, object, lands, args, objtool: checked ? splitWords(objtoolArgs) : undefined };
}

function landing(object: string, ofModule: boolean, modfile: string, inVmlinux: ReadonlySet<string>): Lands {
  if (ofModule) return { kind: "module", modules: modfile.split(/\s+/).filter((path) => path !== "") };
  if (inVmlinux.has(object)) return { kind: "vmlinux" };
  return { kind: "elsewhere" };
}

/** Without what names files: the dependency list, the source and the object. */
function compileArguments(words: readonly string[], source: string): string[] {
  const args: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === "-o") i++;
    else if (word !== "-c" && word !== source && !word.startsWith("-Wp,-MMD,") && !word.startsWith("-Wp,-MD,")) {
      args.push(word);
    }
  }
  return args;
}
