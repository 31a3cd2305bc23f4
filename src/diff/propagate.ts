/**
 * The third step: what a difference makes of the atoms around it. A constant
 * travels with the functions that use it, a function without an entry hook is
 * carried into its callers, a function's parts change together; and what can
 * not travel is refused.
 */
import { type Refusal, refusal } from "../patch/refusal.ts";
import { isUnfilled } from "./btf-ids.ts";
import type { Difference } from "./compare.ts";
import { type Effect, Effects } from "./effects.ts";
import { mayHandOut, operationsChanged, TakenAtStart } from "./handed-out.ts";
import { isHookable, isModuleExit, type User, usersOf, whyNoHook } from "./hooks.ts";
import { isCold } from "./names.ts";
import { calledFromOthers, calledThrough } from "./no-hook.ts";
import type { DiffOptions } from "./options.ts";
import type { Pairing } from "./pairing.ts";
import { PARAMETERS } from "./roles.ts";
import type { SelectedWord } from "./selection.ts";
import { switchPlace } from "./switch-place.ts";
import { type Atom, entryOffset, isCode, isGlobal, type Unit } from "./unit.ts";
import { WrittenWords } from "./written-words.ts";

/** Why an atom of the patched unit has to come along. */
export interface Change {
  /** Why, as the end of a sentence that begins with the atom's name. */
  readonly why: string;
  /** Whether the atom itself differs, or was drawn in by another. */
  readonly by: "difference" | "constant" | "hookless" | "part";
}

/** By atoms of the patched unit: which change, which of these need more than a hook, and what is left out. */
export interface Propagation {
  readonly changes: ReadonlyMap<Atom, Change>;
  /** Functions without a hook that are led to their new version at their entry all the same, while the machine stands still. */
  readonly switched: ReadonlySet<Atom>;
  /** Of constants and variables in use that are overwritten then. */
  readonly words: readonly SelectedWord[];
  readonly refusals: readonly Refusal[];
  /** What differs and runs no more, or is read no more, in a running kernel, by the patched atom. */
  readonly leftOut: ReadonlyMap<Atom, Refusal>;
}

/** Goes on from the differences until nothing more is drawn in. */
export function propagate(
  { original, patched }: { readonly original: Unit; readonly patched: Unit },
  pairing: Pairing,
  differences: ReadonlyMap<Atom, Difference>,
  options: DiffOptions,
): Propagation {
  const propagator = new Propagator(patched, pairing, options, new TakenAtStart(original));
  propagator.seed(differences);
  propagator.run();
  const { changes, switched, leftOut } = propagator;
  const words = [...propagator.written.values()].flat();
  return { changes, switched, words, refusals: propagator.refusals(), leftOut };
}

/** What has been drawn in so far, and what is still to be followed. */
class Propagator {
  readonly changes = new Map<Atom, Change>();
  readonly switched = new Set<Atom>();
  /** By the patched atom. */
  readonly written = new Map<Atom, readonly SelectedWord[]>();
  readonly leftOut = new Map<Atom, Refusal>();
  readonly #unit: Unit;
  readonly #pairing: Pairing;
  readonly #options: DiffOptions;
  readonly #users: Map<Atom, User[]>;
  readonly #taken: TakenAtStart;
  readonly #words: WrittenWords;
  readonly #queue: Atom[] = [];
  readonly #refusals = new Map<string, Refusal>();
  /** Of tables of functions that are changed: what hands them out. */
  readonly #holders = new Map<Atom, Set<string>>();

  constructor(unit: Unit, pairing: Pairing, options: DiffOptions, taken: TakenAtStart) {
    this.#unit = unit;
    this.#taken = taken;
    this.#pairing = pairing;
    this.#options = options;
    this.#users = usersOf(unit);
    const uses = {
      of: (atom: Atom) => this.#users.get(atom) ?? [],
      live: (atom: Atom) => this.#liveUsers(atom),
      travels: (constant: Atom) => this.#travels(constant),
      handedOutAtStart: (constant: Atom) => this.#handedOutAtStart(constant),
      where: (atom: Atom) => this.#where(atom),
    };
    this.#words = new WrittenWords(uses, pairing, options);
  }

  seed(differences: ReadonlyMap<Atom, Difference>): void {
    const effects = new Effects(differences, this.#users, this.#options, (atom) => this.#where(atom));
    for (const atom of differences.keys()) {
      const effect = effects.of(atom);
      if (this.#isWritten(atom, effect)) continue;
      if (effect.kind === "change" && this.#wasReadAtStart(atom)) {
        this.leftOut.set(atom, effects.readAtStart(atom));
        continue;
      }
      if (effect.kind === "change") this.#change(atom, { why: effect.why, by: "difference" });
      else if (effect.kind === "refused") this.#refuse(effect.finding);
      else if (effect.kind === "left-out") {
        this.leftOut.set(atom, effect.finding);
        if (atom.section.role === "load-time" || isUnfilled(atom)) this.#refuseUsers(atom);
      }
    }
    for (const atom of this.#unit.atoms) {
      if (atom.section.name === PARAMETERS && !this.#pairing.originalOf.has(atom))
        this.leftOut.set(atom, effects.newParameter(atom));
    }
  }

  /** Whether words of the running object are written for it, since new versions of functions do not do. */
  #isWritten(atom: Atom, effect: Effect): boolean {
    const { words, refusal: finding } = this.#words.of(atom, effect);
    if (finding !== undefined) this.#refuse(finding);
    if (words === undefined) return false;
    this.written.set(atom, words);
    return true;
  }

  /**
   * Whether new versions of the functions that use a constant are all that has to know of it.
   * @param leadsToTable whether it leads to a table of functions that does not
   */
  #travels(constant: Atom, leadsToTable = false, seen: Set<Atom> = new Set()): boolean {
    if (seen.has(constant)) return true;
    seen.add(constant);
    if (isGlobal(constant) && this.#pairing.originalOf.has(constant)) return false;
    if (this.#handedOutAtStart(constant).length > 0) return false;
    const isTable = leadsToTable || holdsFunctions(constant) || this.#heldFunctions(constant);
    return this.#liveUsers(constant).every(({ atom }) => {
      if (atom.kind === "constant") return this.#travels(atom, isTable, seen);
      if (atom.kind === "data") return !this.#pairing.originalOf.has(atom);
      return !isTable || !mayHandOut(atom, constant);
    });
  }

  /** What was freed when its object was up, and may have given away a constant's address before. */
  #handedOutAtStart(constant: Atom): Atom[] {
    if (!this.#pairing.originalOf.has(constant)) return [];
    const users = (this.#users.get(constant) ?? []).filter(({ atom }) => atom.section.role === "init");
    return [...new Set(users.map(({ atom }) => atom))].filter((user) => mayHandOut(user, constant));
  }

  /** Whether only code that has run when its object was started reads a constant. */
  #wasReadAtStart(constant: Atom): boolean {
    if (constant.kind !== "constant" || isGlobal(constant) || this.#liveUsers(constant).length > 0) return false;
    const isUsed = (this.#users.get(constant) ?? []).some(({ atom }) => atom.section.role === "init");
    return isUsed && this.#handedOutAtStart(constant).length === 0;
  }

  #refuse(finding: Refusal): void {
    this.#refusals.set(`${finding.code} ${finding.what}`, finding);
  }

  /** A list that the kernel's build fills in (BTF ids) cannot be made anew by a livepatch. */
  #refuseUsers(table: Atom): void {
    const readers = this.#liveUsers(table).filter(({ atom }) => this.#pairing.originalOf.has(atom));
    const [first] = readers.map(({ atom }) => atom.name);
    if (first === undefined) return;
    this.#refuse(
      refusal(
        "LOAD_TIME_TABLE_CHANGED",
        `${first} reads ${table.section.name}, which is changed and is filled in only when the kernel is linked`,
        this.#where(table),
        "leave the table as it is, and decide in code",
      ),
    );
  }

  refusals(): Refusal[] {
    const tables = [...this.#holders].map(([constant, holders]) =>
      operationsChanged(constant, [...holders], this.#where(constant)),
    );
    return [...tables, ...this.#refusals.values()];
  }

  run(): void {
    for (let atom = this.#queue.pop(); atom !== undefined; atom = this.#queue.pop()) {
      if (atom.kind === "constant") this.#propagateConstant(atom);
      else this.#propagateFunction(atom);
    }
  }

  #change(atom: Atom, change: Change): void {
    if (this.changes.has(atom)) return;
    this.changes.set(atom, change);
    this.#queue.push(atom);
  }

  #propagateConstant(constant: Atom): void {
    const isTable = holdsFunctions(constant) || this.#heldFunctions(constant);
    if (isGlobal(constant) && this.#pairing.originalOf.has(constant)) {
      if (isTable) this.#refuseOperations(constant, OTHERS);
      else
        this.#refuse(
          refusal(
            "GLOBAL_CONSTANT",
            `the constant ${constant.name} is changed, and other files can see it`,
            this.#where(constant),
            "change the code that uses it",
          ),
        );
    }
    for (const user of this.#handedOutAtStart(constant)) {
      if (isTable) this.#refuseOperations(constant, user.name);
      else this.#refuseHandedOut(constant, user);
    }
    for (const { atom } of this.#liveUsers(constant)) {
      if (isTable && (atom.kind === "constant" || (atom.kind !== "data" && mayHandOut(atom, constant))))
        this.#refuseOperations(constant, atom.name);
      if (isCode(atom)) {
        this.#change(atom, { why: `uses the constant ${constant.name}, which is changed`, by: "constant" });
      } else if (atom.kind === "constant") {
        this.#change(atom, { why: `refers to the constant ${constant.name}, which is changed`, by: "constant" });
      } else if (this.#pairing.originalOf.has(atom)) {
        this.#refuse(
          refusal(
            "CONSTANT_IN_LIVE_DATA",
            `the constant ${constant.name} is changed, and the live variable ${atom.name} points to the old one`,
            this.#where(constant),
            `set the pointer in ${atom.name} in a post-patch callback, and back in a pre-unpatch one`,
          ),
        );
      }
    }
  }

  /** A table of functions is kept by pointer for as long as the object lives that it was given to. */
  #refuseOperations(constant: Atom, holder: string): void {
    this.#holders.set(constant, (this.#holders.get(constant) ?? new Set()).add(holder));
  }

  /** Of a table that lost its only function. */
  #heldFunctions(constant: Atom): boolean {
    const original = this.#pairing.originalOf.get(constant);
    return original !== undefined && holdsFunctions(original);
  }

  #refuseHandedOut(constant: Atom, user: Atom): void {
    this.#refuse(
      refusal(
        "CONSTANT_IN_USE",
        `the constant ${constant.name} is changed, and ${user.name}, which has run and been freed, may have handed out the old one`,
        this.#where(constant),
        "change the code that uses what it was handed to",
      ),
    );
  }

  #propagateFunction(code: Atom): void {
    const entry = entryOffset(code);
    const users = this.#liveUsers(code);
    for (const { atom, offset } of users) {
      if (!code.anonymous && (offset === entry || offset === 0)) continue;
      if (atom.kind === "data") {
        this.#refuse(
          refusal(
            "CODE_ADDRESS_IN_DATA",
            `${atom.name} holds an address inside ${code.name}, which is changed`,
            this.#where(code),
            "keep the function as it is and change its callers",
          ),
        );
      } else this.#change(atom, { why: `is one piece with ${code.name}, which is changed`, by: "part" });
    }
    if (code.anonymous || isHookable(code, this.#pairing, this.#options) || isModuleExit(code)) return;
    if (this.#pairing.originalOf.has(code)) this.#carry(code, users);
  }

  /** A function that cannot be hooked takes effect through new versions of its callers, or is switched while nothing runs. */
  #carry(code: Atom, users: readonly User[]): void {
    let why = whyNoHook(code, this.#pairing, this.#options) ?? "has no hook at its entry";
    if (this.#options.canSwitch === true && !this.#reachesHooks(code)) {
      const place = switchPlace(this.#pairing.originalOf.get(code) ?? code);
      if (place.kind === "place") {
        this.switched.add(code);
        return;
      }
      why += `, ${place.why}`;
    }
    if (isGlobal(code)) {
      this.#refuse(calledFromOthers(code, { why, where: this.#where(code) }));
      return;
    }
    const taker = this.#takenAtStart(code);
    if (taker !== undefined) this.#refuse(calledThrough(code, { why, where: this.#where(code) }, taker));
    const isPart = isCold(code.name);
    for (const { atom, isBranch } of users) {
      if (isPart && atom.kind !== "data") {
        this.#change(atom, { why: `its unlikely part ${code.name} is changed`, by: "part" });
      } else if (isBranch) {
        this.#change(atom, {
          why: `calls ${code.name}, which is changed and ${why.replace("has no hook at its entry", "has no hook")}`,
          by: "hookless",
        });
      } else if (this.#pairing.originalOf.has(atom)) {
        this.#refuse(calledThrough(code, { why, where: this.#where(code) }, atom));
      }
    }
  }

  /** What has given its address away before it was freed. */
  #takenAtStart(code: Atom): Atom | undefined {
    const original = this.#pairing.originalOf.get(code);
    return original && this.#taken.by(original);
  }

  /** Whether new versions of all its callers, and of theirs where need be, take effect by hooks. */
  #reachesHooks(code: Atom, seen: Set<Atom> = new Set()): boolean {
    if (seen.has(code)) return true;
    seen.add(code);
    if (isGlobal(code) || this.#takenAtStart(code) !== undefined) return false;
    const isPart = code.anonymous || isCold(code.name);
    return this.#liveUsers(code).every(({ atom, isBranch }) => {
      if (!this.#pairing.originalOf.has(atom)) return true;
      if (atom.kind === "data" || !(isPart || isBranch)) return false;
      return isHookable(atom, this.#pairing, this.#options) || isModuleExit(atom) || this.#reachesHooks(atom, seen);
    });
  }

  /** Users that a running kernel still executes or reads. */
  #liveUsers(atom: Atom): User[] {
    const users = this.#users.get(atom) ?? [];
    return users.filter(
      ({ atom: { section } }) =>
        section.role === "code" ||
        section.role === "data" ||
        section.role === "constant" ||
        section.name === PARAMETERS,
    );
  }

  #where(atom: Atom): string {
    return `${this.#unit.name}: ${atom.section.name}${atom.start > 0 ? `+0x${atom.start.toString(16)}` : ""}`;
  }
}

const OTHERS = "other files";

function holdsFunctions(constant: Atom): boolean {
  return constant.references.some(
    ({ target }) =>
      target.kind === "atom" &&
      target.atom.kind === "function" &&
      target.offset === entryOffset(target.atom) &&
      !isCold(target.atom.name),
  );
}
