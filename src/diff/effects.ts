/** What a difference means in a running kernel, by where it lies. */
import { type Refusal, refusal } from "../patch/refusal.ts";
import { isUnfilled } from "./btf-ids.ts";
import type { Difference } from "./compare.ts";
import { isExportRecord } from "./exports.ts";
import { mayHandOut, usesOnly } from "./handed-out.ts";
import type { User } from "./hooks.ts";
import type { DiffOptions } from "./options.ts";
import { CONSTRUCTORS, isFreed, PARAMETERS, READ_AGAIN, RUN_AT_END } from "./roles.ts";
import { type Atom, isCode, isGlobal, type Target } from "./unit.ts";

/** What has to be done about a difference. `none`: nothing can tell that it is there. */
export type Effect =
  /** Code or constants that run or are read: to be brought by the livepatch. */
  | { readonly kind: "change"; readonly why: string }
  /** It ran once, or was read once, and does so no more. */
  | { readonly kind: "left-out"; readonly finding: Refusal }
  | { readonly kind: "refused"; readonly finding: Refusal }
  | { readonly kind: "none" };

/** Differences of one unit, judged together: what is registered at load and what takes it back belong together. */
export class Effects {
  readonly #differences: ReadonlyMap<Atom, Difference>;
  readonly #users: ReadonlyMap<Atom, readonly User[]>;
  readonly #options: DiffOptions;
  readonly #where: (atom: Atom) => string;

  constructor(
    differences: ReadonlyMap<Atom, Difference>,
    users: ReadonlyMap<Atom, readonly User[]>,
    options: DiffOptions,
    where: (atom: Atom) => string,
  ) {
    this.#differences = differences;
    this.#users = users;
    this.#options = options;
    this.#where = where;
  }

  of(atom: Atom): Effect {
    const { section } = atom;
    const difference = this.#differences.get(atom);
    if (difference === undefined || isExportRecord(section.name)) return { kind: "none" };
    const at = difference.offset === undefined ? "" : ` at +0x${difference.offset.toString(16)}`;
    const what = `${difference.what}${at}`;
    if (section.role === "init") return this.#leftOut(atom, "INIT_ALREADY_RAN");
    if (section.name === PARAMETERS) return this.#leftOut(atom, "PARAMETER_STAYS");
    if (READ_AGAIN.test(section.name) || RUN_AT_END.test(section.name))
      return { kind: "refused", finding: tableReadAgain(section.name, this.#where(atom)) };
    if (section.role === "load-time" || isUnfilled(atom)) return this.#leftOut(atom, "READ_AT_LOAD_TIME");
    if (this.#isConstructor(atom)) return this.#leftOut(atom, "CONSTRUCTOR_RAN");
    if (isExit(atom) && !this.#options.isModule) return this.#leftOut(atom, "EXIT_NEVER_RUNS");
    if (isExit(atom) && this.#takesBackRegistration(atom)) return this.#leftOut(atom, "EXIT_BELONGS_TO_INIT");
    if (difference.isPlace === true) return this.#placeStays(atom, difference);
    if (atom.kind !== "data") return { kind: "change", why: what };
    if (this.#isRegistration(atom)) {
      const holder = this.#handedOutBy(atom);
      if (holder === undefined) return this.#leftOut(atom, "REGISTERED_AT_LOAD");
      return { kind: "refused", finding: this.#registered(atom, what, holder) };
    }
    return { kind: "refused", finding: this.#dataChanged(atom, what) };
  }

  #dataChanged(atom: Atom, what: string): Refusal {
    const [is, hint] = howChanged(atom.name, this.#differences.get(atom));
    return refusal("DATA_CHANGED", `${is} (${what}), and the running one is in use`, this.#where(atom), hint);
  }

  newParameter(atom: Atom): Refusal {
    return refusal(
      "PARAMETER_STAYS",
      `${atom.name} is new, and parameters are registered only when their module is loaded, or the kernel starts`,
      this.#where(atom),
      LEFT_OUT.PARAMETER_STAYS[1],
    );
  }

  readAtStart(atom: Atom): Refusal {
    const [, hint] = LEFT_OUT.INIT_ALREADY_RAN;
    return refusal(
      "INIT_ALREADY_RAN",
      `${atom.name} is changed, and only code reads it that has run and been freed before a livepatch can come`,
      this.#where(atom),
      hint,
    );
  }

  /** A function that only a program's start calls. */
  #isConstructor(atom: Atom): boolean {
    if (atom.kind !== "function" || isGlobal(atom)) return false;
    const users = this.#users.get(atom) ?? [];
    return users.length > 0 && users.every(({ atom: user }) => CONSTRUCTORS.test(user.section.name));
  }

  /** A variable that only init and exit code refer to: what was made of it at load stays until unload. */
  #isRegistration(atom: Atom): boolean {
    if (!this.#options.isModule || isGlobal(atom)) return false;
    const users = this.#users.get(atom) ?? [];
    return (
      users.length > 0 &&
      users.every(({ atom: user }) => user.section.role === "init" || user.section.role === "load-time" || isExit(user))
    );
  }

  /** What may have given the kernel the variable's address, by which it is read from then on. */
  #handedOutBy(atom: Atom): Atom | undefined {
    const users = (this.#users.get(atom) ?? []).map(({ atom: user }) => user);
    return users.find((user) => user.section.role === "init" && mayHandOut(user, atom));
  }

  #registered(atom: Atom, what: string, holder: Atom): Refusal {
    return refusal(
      "DATA_CHANGED",
      `${howChanged(atom.name, this.#differences.get(atom))[0]} (${what}), and the running one is in use since ${holder.name} handed it out`,
      this.#where(atom),
      "change a function that it names, or load the fixed module anew",
    );
  }

  /** Exit code that takes back what the init code that ran has registered must be the one that belongs to it. */
  #takesBackRegistration(exit: Atom): boolean {
    return exit.references.some(
      ({ target }) =>
        target.kind === "atom" &&
        target.atom.kind === "data" &&
        this.#differences.has(target.atom) &&
        this.#differences.get(target.atom)?.isPlace !== true &&
        this.#isRegistration(target.atom),
    );
  }

  #placeStays(atom: Atom, { what, isUnlocked }: Difference): Effect {
    const writer = isUnlocked ? this.#mayWrite(atom) : undefined;
    if (writer !== undefined) return { kind: "refused", finding: this.#stillLocked(atom, writer) };
    const stays = `${atom.name} ${what}, and the running one stays where it is`;
    const finding = refusal(
      "PLACE_STAYS",
      stays,
      this.#where(atom),
      "boot the new kernel for what depends on the section",
    );
    return { kind: "left-out", finding };
  }

  /** What runs and does more with a variable than to read it. */
  #mayWrite(variable: Atom): Atom | undefined {
    const isIt = (target: Target) => target.kind === "atom" && target.atom === variable;
    const users = (this.#users.get(variable) ?? []).map(({ atom }) => atom);
    return users.find(
      (user) => !isFreed(user.section, this.#options.isModule) && !usesOnly(user, isIt, user.section.arch.code.loadsAt),
    );
  }

  #stillLocked(atom: Atom, writer: Atom): Refusal {
    return refusal(
      "DATA_CHANGED",
      `${writer.name} may write to ${atom.name}, which is to be writable with the diff (no __ro_after_init), and the running one can only be read since its object was up`,
      this.#where(atom),
      "give the variable that is written to another name, and set it up in a pre-patch callback",
    );
  }

  #leftOut(atom: Atom, code: keyof typeof LEFT_OUT): Effect {
    const [said, hint] = LEFT_OUT[code];
    const isRead = code === "INIT_ALREADY_RAN" && !isCode(atom);
    const what = isRead ? "is changed, and has been read and freed before a livepatch can come" : said;
    const name = code === "READ_AT_LOAD_TIME" ? atom.section.name : atom.name;
    return { kind: "left-out", finding: refusal(code, `${name} ${what}`, this.#where(atom), hint) };
  }
}

/** What the linker has gathered lies where it lies, and the kernel goes through it there. */
export function tableReadAgain(section: string, where: string): Refusal {
  if (RUN_AT_END.test(section))
    return refusal(
      "LOAD_TIME_TABLE_CHANGED",
      `${section} is changed, whose functions run when the program ends, or the library is unloaded, and are those that were linked`,
      where,
      "change a function that runs then already; a new one can be registered in a post-patch callback, with atexit()",
    );
  return refusal(
    "LOAD_TIME_TABLE_CHANGED",
    `${section} is changed, which the kernel goes through again and again where it was linked, so that no entry can be added or taken away`,
    where,
    "change a function that an entry names",
  );
}

/** What is said of a variable that differs, and what to do instead. */
function howChanged(name: string, difference: Difference | undefined): readonly [is: string, hint: string] {
  if (difference?.isSize)
    return [
      `${name} has another size with the diff`,
      "keep its size and type, and put what is new into a variable of its own or a shadow variable",
    ];
  if (difference?.isAlignment)
    return [
      `${name} lies at another boundary with the diff`,
      "leave its alignment, and have what needs another allocated",
    ];
  if (difference?.isStorage)
    return [
      `${name} is kept in another way with the diff`,
      "leave it as it is, and set up one of another name from it in a pre-patch callback",
    ];
  return [
    `the initial value of ${name} is changed`,
    "change code rather than data: set the new value in a post-patch callback, or keep it in a shadow variable",
  ];
}

const LEFT_OUT = {
  INIT_ALREADY_RAN: [
    "is changed, and has run and been freed before a livepatch can come",
    "do what it would do in a post-patch callback",
  ],
  CONSTRUCTOR_RAN: [
    "is changed, and has run when the program or library was loaded",
    "do what it would do in a post-patch callback",
  ],
  READ_AT_LOAD_TIME: [
    "is changed, and is read only when its object is loaded",
    "nothing to do, unless the running object depends on it",
  ],
  PARAMETER_STAYS: [
    "is changed, and the parameter stays as it was registered: /sys/module leads to the old functions for it",
    "check a parameter's value where the code uses it",
  ],
  EXIT_NEVER_RUNS: ["is the exit code of something built in: it never runs", "nothing to do"],
  REGISTERED_AT_LOAD: [
    "is changed, and only the module's init and exit code read it: what was made of it stays as it was",
    "load the fixed module anew for this part of the change",
  ],
  EXIT_BELONGS_TO_INIT: [
    "is changed with what it takes back, which was registered by the old init code: the old exit code stays",
    "load the fixed module anew for this part of the change",
  ],
} as const;

function isExit(atom: Atom): boolean {
  return atom.section.name === ".exit.text";
}
