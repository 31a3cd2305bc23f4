/**
 * Proves that what a livepatch was built against is what runs: each function that it
 * patches is compared, byte for byte, with the running kernel's memory. What the kernel
 * itself rewrites, by tables of its own, is known from when the livepatch was built.
 */
import { join } from "node:path";
import type { Arch } from "../../arch/arch.ts";
import { archOf } from "../../arch/registry.ts";
import { identityOf } from "../../elf/identity.ts";
import type { LivepatchFile } from "../../patch/livepatch-file.ts";
import type { FuncRecord, OriginalRecord } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { Kallsyms, type RunningSymbol, TEXT } from "./kallsyms.ts";
import { Kcore } from "./kcore.ts";
import { type LoadedModule, readModules } from "./modules.ts";
import { compareOriginal, type Difference, type Places } from "./original-code.ts";
import { type Kprobe, readKprobes, readTracedFunctions, type TracedFunction } from "./probes.ts";
import { readIfThere, sectionsOf } from "./sysfs.ts";

/** What was found of the functions that a livepatch patches. */
export interface OriginalsProof {
  readonly problems: readonly Refusal[];
  /** What is proved, in one sentence; undefined where nothing is. */
  readonly proved: string | undefined;
  /** What is not, and why. */
  readonly notProved: readonly string[];
  /** Functions that another livepatch, which jumps from their entries, has patched. */
  readonly jumpedFrom: readonly { readonly func: FuncRecord; readonly by: string }[];
}

interface Patched {
  readonly object: string;
  readonly func: FuncRecord;
  readonly original: OriginalRecord;
}

/** Changes nothing; `root` is the root of the file system. */
export async function proveOriginals(root: string, livepatch: LivepatchFile): Promise<OriginalsProof> {
  const { metadata, name } = livepatch;
  const nothing = (why: string): OriginalsProof => ({
    problems: [],
    proved: undefined,
    notProved: [`that the running kernel's code is what ${name} was built against is not proved: ${why}`],
    jumpedFrom: [],
  });
  if (metadata === undefined) return nothing("it was not made by suture, and does not say what it was built against");
  const funcs = metadata.objects.flatMap((object) => object.funcs.map((func) => ({ object: object.name, func })));
  if (funcs.length === 0) return { problems: [], proved: undefined, notProved: [], jumpedFrom: [] };
  const patched = funcs.flatMap(({ object, func }): Patched[] =>
    func.original === undefined ? [] : [{ object, func, original: func.original }],
  );
  if (patched.length === 0) return nothing("it does not hold the code that it was built against");
  const memory = await Kcore.open(root);
  if (typeof memory === "string") return nothing(memory);
  await using _ = memory;
  const kallsyms = await Kallsyms.read(root);
  if (kallsyms === undefined) return nothing("the kernel hides where its functions are (kernel.kptr_restrict)");
  const identity = identityOf(livepatch.data);
  if (identity === undefined) return nothing("it is no ELF file");
  const arch = archOf({ header: identity, name });
  const [modules, countsCalls] = [await readModules(root), await countsCallsIn(root)];
  const prover = await Prover.open({ root, memory, kallsyms, arch, modules, countsCalls }, patched);
  const proof = await prover.run(patched);
  const untold = funcs.filter(({ func }) => func.original === undefined).map(({ func }) => func.name);
  if (untold.length === 0) return proof;
  const why = `the livepatch does not hold the code of ${untold.join(", ")}, which is not compared`;
  return { ...proof, notProved: [...proof.notProved, why] };
}

/** Source: retbleed_strings of arch/x86/kernel/cpu/bugs.c. */
async function countsCallsIn(root: string): Promise<boolean> {
  const said = await readIfThere(join(root, "sys/devices/system/cpu/vulnerabilities/retbleed"));
  return said === undefined || said.includes("Stuffing");
}

interface Given {
  readonly root: string;
  readonly memory: Kcore;
  readonly kallsyms: Kallsyms;
  readonly arch: Arch;
  readonly modules: readonly LoadedModule[];
  readonly countsCalls: boolean;
}

/** Of one function. */
type Verdict =
  | { readonly kind: "equal"; readonly bytes: number; readonly open: number }
  | { readonly kind: "jumped-from"; readonly by: string }
  | { readonly kind: "not-proved"; readonly why: string }
  | { readonly kind: "differs"; readonly problem: Refusal };

class Prover {
  readonly #given: Given;
  readonly #symbols: ReadonlyMap<string, readonly RunningSymbol[]>;
  readonly #kprobes: readonly Kprobe[] | undefined;
  readonly #traced: readonly TracedFunction[] | undefined;
  readonly #sections = new Map<string, ReadonlyMap<string, bigint>>();

  private constructor(
    given: Given,
    symbols: ReadonlyMap<string, readonly RunningSymbol[]>,
    kprobes: readonly Kprobe[] | undefined,
    traced: readonly TracedFunction[] | undefined,
  ) {
    this.#given = given;
    this.#symbols = symbols;
    this.#kprobes = kprobes;
    this.#traced = traced;
  }

  static async open(given: Given, patched: readonly Patched[]): Promise<Prover> {
    const fields = patched.flatMap(({ original }) => original.fields);
    const inFields = fields.flatMap((field) => ("symbol" in field && field.symbol !== undefined ? [field.symbol] : []));
    const names = new Set([TEXT, ...patched.map(({ func }) => func.name), ...inFields]);
    const symbols = new Map<string, RunningSymbol[]>();
    for (const symbol of given.kallsyms.named(names))
      symbols.set(symbol.name, [...(symbols.get(symbol.name) ?? []), symbol]);
    return new Prover(given, symbols, await readKprobes(given.root), await readTracedFunctions(given.root));
  }

  async run(patched: readonly Patched[]): Promise<OriginalsProof> {
    const problems: Refusal[] = [];
    const notProved: string[] = [];
    const jumpedFrom: { func: FuncRecord; by: string }[] = [];
    let [count, bytes, open] = [0, 0, 0];
    for (const each of patched) {
      const verdict = await this.#verdict(each);
      if (verdict.kind === "differs") problems.push(verdict.problem);
      else if (verdict.kind === "not-proved") notProved.push(verdict.why);
      else if (verdict.kind === "jumped-from") jumpedFrom.push({ func: each.func, by: verdict.by });
      else [count, bytes, open] = [count + 1, bytes + verdict.bytes, open + verdict.open];
    }
    const functions = count === 1 ? "the function that it patches is" : `${count} functions that it patches are`;
    const less = open === 0 ? "" : `; ${open} others are what the kernel itself has rewritten`;
    const proved =
      count === 0 ? undefined : `${functions} in memory what it was built against: ${bytes} bytes are equal${less}`;
    return { problems, proved, notProved: [...new Set(notProved)], jumpedFrom };
  }

  async #verdict(each: Patched): Promise<Verdict> {
    const { object, func, original } = each;
    const { memory, modules } = this.#given;
    if (object !== "vmlinux" && modules.every(({ name }) => name !== object))
      return { kind: "not-proved", why: `the module ${object} is not loaded: what it will be is not compared` };
    const address = this.#addressOf(each);
    if (typeof address !== "bigint") return address;
    const length = Buffer.byteLength(original.code, "base64");
    const found = await memory.read(address, length);
    // Where the kernel does not let a page be read it gives zeros.
    if (found === undefined || found.every((byte) => byte === 0))
      return { kind: "not-proved", why: `the memory of ${func.name} cannot be read` };
    const places = await this.#places(object);
    const { differences, open } = compareOriginal({ original, address, found }, places, this.#given.arch.elf.words);
    const left = differences.filter((difference) => !this.#isOfProbe(difference, address));
    const jump = this.#jump(original, found);
    const by = jump === undefined || left.length === 0 ? undefined : this.#livepatchAt(address + BigInt(jump.to));
    if (
      by !== undefined &&
      jump !== undefined &&
      left.every(({ at, found: row }) => jump.at <= at && at + row.length <= jump.end)
    )
      return { kind: "jumped-from", by };
    const [first] = left;
    if (first !== undefined) return { kind: "differs", problem: this.#differs(each, first, { address, found }) };
    const hooked = this.#hookProblem(each, found);
    return hooked === undefined ? { kind: "equal", bytes: length - open, open } : { kind: "differs", problem: hooked };
  }

  /** Where it is; else why it cannot be, or why that is not known. */
  #addressOf({ object, func, original }: Patched): bigint | Verdict {
    const own = (this.#symbols.get(func.name) ?? []).filter((symbol) => symbol.object === object);
    const address = own[Math.max(0, func.sympos - 1)]?.address;
    if (address === undefined)
      return { kind: "differs", problem: notProved(func, object, "the running kernel has no function of that name") };
    if (original.offset === undefined) return address;
    const start = this.#symbols.get(TEXT)?.[0]?.address ?? 0n;
    if (start + BigInt(original.offset) === address) return address;
    const where = `at ${TEXT}+0x${(address - start).toString(16)} in memory, built against ${TEXT}+0x${original.offset.toString(16)}`;
    return { kind: "differs", problem: notProved(func, object, where) };
  }

  async #places(object: string): Promise<Places> {
    const start = this.#symbols.get(TEXT)?.[0]?.address ?? 0n;
    let sections = this.#sections.get(object);
    if (sections === undefined) {
      sections = object === "vmlinux" ? new Map<string, bigint>() : await sectionsOf(this.#given.root, object);
      this.#sections.set(object, sections);
    }
    return {
      start,
      countsCalls: this.#given.countsCalls,
      section: (name) => sections.get(name),
      symbol: (name) => (this.#symbols.get(name) ?? []).map(({ address }) => address),
    };
  }

  /** A breakpoint, or the jump that the kernel has made of one. */
  #isOfProbe({ at, found }: Difference, address: bigint): boolean {
    const [from, to] = [address + BigInt(at), address + BigInt(at + found.length)];
    return (this.#kprobes ?? []).some(({ address: probe, isByFtrace, isOptimized }) => {
      const { breakpoint, jump } = this.#given.arch.kernel.probe ?? { breakpoint: 0, jump: 0 };
      return !isByFtrace && probe <= from && to <= probe + BigInt(isOptimized ? jump : breakpoint);
    });
  }

  /** A jump in the place where a livepatch without a hook puts one. */
  #jump(
    original: OriginalRecord,
    found: Buffer,
  ): { readonly at: number; readonly end: number; readonly to: number } | undefined {
    const { kernel, code } = this.#given.arch;
    const shipped = Buffer.from(original.code, "base64");
    const at = kernel.entryJump?.offset(shipped, 0, (offset) => offset === original.hook);
    const instruction = at === undefined ? undefined : code.decode(found, at);
    if (at === undefined || instruction === undefined || instruction.branch !== 4) return undefined;
    return { at, end: at + instruction.length, to: code.leadsTo(found, at, instruction) };
  }

  /** The livepatch that an address belongs to. */
  #livepatchAt(address: bigint): string | undefined {
    const symbol = this.#given.kallsyms.covering(BigInt.asUintN(64, address));
    return this.#given.modules.find(({ name, isLivepatch }) => isLivepatch && name === symbol?.object)?.name;
  }

  #differs(
    { func, object }: Patched,
    { at, found: row, wanted }: Difference,
    { address, found }: { readonly address: bigint; readonly found: Buffer },
  ): Refusal {
    const { code } = this.#given.arch;
    const instruction = code.decode(found, at);
    const to =
      instruction?.branch === 4
        ? this.#given.kallsyms.covering(BigInt.asUintN(64, address + BigInt(code.leadsTo(found, at, instruction))))
        : undefined;
    const leads = to === undefined ? "" : `, which leads to ${to.name} of ${to.object}`;
    const shown = (bytes: Buffer) => bytes.subarray(0, SHOWN).toString("hex");
    const where = `+0x${at.toString(16)}: ${shown(row)} in memory${leads}, ${shown(wanted)} when it was built`;
    const hint = this.#kprobes === undefined ? "mount debugfs, which tells of probes; " : "";
    return notProved(func, object, where, hint);
  }

  /** A hook that is in use, of a function that ftrace knows no tracer of. */
  #hookProblem({ func, object, original }: Patched, found: Buffer): Refusal | undefined {
    const { unused } = this.#given.arch.kernel.entryHook;
    if (original.hook === undefined || unused === undefined || this.#traced === undefined) return undefined;
    const now = found.subarray(original.hook, original.hook + unused.length);
    if (now.equals(unused)) return undefined;
    if (this.#traced.some((each) => each.name === func.name && each.object === object)) return undefined;
    const where = `+0x${original.hook.toString(16)}: ${now.toString("hex")} where ftrace's hook is, and ftrace knows of no tracer`;
    return notProved(func, object, where);
  }
}

/** Bytes of a difference. */
const SHOWN = 8;

function notProved({ name }: FuncRecord, object: string, where: string, hint = ""): Refusal {
  return refusal(
    "ORIGINAL_NOT_PROVED",
    `${name} of ${object} is not in memory what the livepatch was built against`,
    `${name} ${where}`,
    `${hint}find out who has changed the running kernel (another live patching tool, a module); a reboot has it as it ships`,
  );
}
