/**
 * The last step: every piece of every section of both objects that differs, is
 * new or is gone has one fate, or is refused. It goes by its own comparison, and
 * not by what the steps before it took for a difference, so that a kind of piece
 * that they forget is found.
 */

import type { RefusalCode } from "../lib/codes.ts";
import type { FateRecord, LeftOutRecord, PieceRecord } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Books } from "./books.ts";
import { tableReadAgain } from "./effects.ts";
import { isExportRecord } from "./exports.ts";
import { mayHandOut } from "./handed-out.ts";
import { type User, usersOf } from "./hooks.ts";
import { isKnown, whyNotBrought, whyNotHeld } from "./known-sections.ts";
import { Ledger } from "./ledger.ts";
import { type LeftOut, leftOutRecords, pieceRecord } from "./left-out.ts";
import { movedNames } from "./moved-names.ts";
import { isOfCheck } from "./names.ts";
import { handedOnNames, replacedAtStart } from "./renamed.ts";
import { INITCALL, READ_AGAIN, RUN_AT_END } from "./roles.ts";
import { type Atom, entryOffset, isCode } from "./unit.ts";

/** What becomes of each piece that is not the same; a piece that is in none of these is the same in both. */
export interface Account {
  readonly fates: readonly FateRecord[];
  readonly refusals: readonly Refusal[];
  /** What runs or is read only when its object is started or loaded, and the like. */
  readonly leftOut: readonly LeftOutRecord[];
}

/**
 * Judges what the steps before it have decided, and changes none of it. Pieces for
 * which they decided nothing are left out where that can be shown, and refused
 * otherwise.
 */
export function account(books: Books): Account {
  return new Accountant(books).run();
}

type Fate = Pick<FateRecord, "fate" | "by" | "why">;

class Accountant {
  readonly #books: Books;
  readonly #ledger: Ledger;
  readonly #users: ReadonlyMap<Atom, readonly User[]>;
  readonly #usersBefore: ReadonlyMap<Atom, readonly User[]>;
  readonly #decided = new Map<Atom, Fate>();
  readonly #fates: FateRecord[] = [];
  readonly #refusals = new Map<string, Refusal>();
  /** Of what is new, or gone. */
  readonly #leftOut: LeftOut[] = [];

  constructor(books: Books) {
    const { original, patched, pairing, selection, leftOut, inLines, options } = books;
    this.#books = books;
    this.#users = usersOf(patched);
    this.#usersBefore = usersOf(original);
    for (const atom of inLines)
      this.#decided.set(atom, { fate: "without-effect", why: "nothing but line numbers of warnings differs" });
    for (const [atom, { what }] of leftOut) this.#decided.set(atom, { fate: "without-effect", why: what });
    for (const { atom } of selection.pieces)
      this.#decided.set(atom, { fate: "travels", why: "what is redirected uses it" });
    for (const { patched: atom, by, why } of selection.funcs)
      this.#decided.set(atom, {
        fate: "replaced",
        by: by === "switch" ? by : options.needsHook ? "ftrace" : "jump",
        why,
      });
    if (selection.moduleExit !== undefined)
      this.#decided.set(selection.moduleExit.patched, { fate: "replaced", why: selection.moduleExit.why });
    this.#ledger = new Ledger(original, patched, pairing, (atom) => this.#decided.get(atom)?.fate === "travels");
    const overwritten = new Set(selection.words.map(({ atom }) => atom));
    for (const atom of patched.atoms) {
      const twin = pairing.originalOf.get(atom);
      if (twin !== undefined && overwritten.has(twin))
        this.#decided.set(atom, { fate: "overwritten", by: "switch", why: "it is in use where it lies" });
    }
  }

  run(): Account {
    const { original, patched } = this.#books;
    for (const atom of patched.atoms) {
      const state = this.#ledger.stateOf(atom);
      const decided = this.#decided.get(atom);
      if (decided !== undefined) {
        this.#record(atom, decided);
        if (decided.fate === "replaced" || decided.fate === "travels") this.#checkSection(atom);
      } else if (state !== "same") this.#judge(atom, state === "new");
      if (decided === undefined || decided.fate === "without-effect") this.#checkOutsider(atom);
    }
    for (const atom of original.atoms)
      if (this.#ledger.isGone(atom)) {
        this.#record(atom, { fate: "without-effect", why: this.#whyGone(atom) });
        if (INITCALL.test(atom.section.name)) this.#leaveOut("INIT_ALREADY_RAN", atom, GONE_INIT);
        this.#checkGone(atom);
      }
    this.#checkOldOnes();
    for (const finding of [movedNames, handedOnNames, replacedAtStart].flatMap((of) => of(this.#books)))
      this.#refuse(finding);
    const judged = [...this.#books.leftOut].map(([atom, finding]) => ({ atom, finding }));
    return {
      fates: this.#fates,
      refusals: [...this.#refusals.values()],
      leftOut: leftOutRecords(patched.name, judged, this.#leftOut),
    };
  }

  /** What nothing was decided about: it must have no effect, by what its section is for, or since nothing that runs refers to it. */
  #judge(atom: Atom, isNew: boolean): void {
    const { section } = atom;
    const without = (why: string) => this.#record(atom, { fate: "without-effect", why });
    if (section.role === "init") {
      without("it is used when its object is started, and freed");
      if (isNew) this.#leaveOut("INIT_ALREADY_RAN", atom, NEW_INIT);
    } else if (isNew && (READ_AGAIN.test(section.name) || RUN_AT_END.test(section.name))) {
      this.#refuse(tableReadAgain(section.name, `${this.#books.patched.name}: ${section.name}`));
    } else if (section.role === "load-time") {
      without("it is read when its object is loaded");
      if (isNew && !isExportRecord(section.name)) this.#leaveOut("READ_AT_LOAD_TIME", atom, NEW_ENTRY);
    } else if (isExit(atom) && !this.#books.options.isModule) without("what is built in never exits");
    else if (!isKnown(section)) this.#checkSection(atom);
    else if (isNew && this.#isUnused(atom)) without("nothing that runs refers to it");
    else if (!isNew && this.#isUnused(atom) && !this.#isRun(atom) && !this.#isSeenOutside(atom))
      without("nothing that runs refers to it");
    else this.#refuseUnaccounted(atom, isNew ? "is new, and what uses it was not found to change" : "differs");
  }

  /** Whether no code that still runs refers to it, and no data that is still read, but what is itself new and unused. */
  #isUnused(atom: Atom, seen: Set<Atom> = new Set()): boolean {
    if (seen.has(atom)) return true;
    seen.add(atom);
    return (this.#users.get(atom) ?? []).every(({ atom: user }) => {
      if (this.#isOver(user) || this.#decided.get(user)?.fate === "without-effect") return true;
      if (this.#decided.has(user)) return false;
      const state = this.#ledger.stateOf(user);
      // What runs of a user that is the same has what it had.
      return state === "same" || (state === "new" && this.#isUnused(user, seen));
    });
  }

  /** Whether something that runs, and stays as it is, refers to it: then the running one goes on, and is the old one. */
  #isRun(atom: Atom): boolean {
    return (this.#users.get(atom) ?? []).some(
      ({ atom: user }) => !this.#isOver(user) && !this.#decided.has(user) && this.#ledger.stateOf(user) === "same",
    );
  }

  /** Whether it ran or was read once, and is no more. */
  #isOver(user: Atom): boolean {
    const { role } = user.section;
    return role === "init" || role === "load-time" || (isExit(user) && !this.#books.options.isModule);
  }

  /** What is taken out of a table that is gone through again stays in the running one. */
  #checkGone(atom: Atom): void {
    const { section } = atom;
    const where = `${this.#books.patched.name}: ${section.name}`;
    if (READ_AGAIN.test(section.name) || RUN_AT_END.test(section.name))
      this.#refuse(tableReadAgain(section.name, where));
    // What tells of a place in code goes with that code.
    else if (
      !this.#isOver(atom) &&
      /^(code|data|constant)$/.test(section.role) &&
      !isKnown(section) &&
      whyNotHeld(atom) === undefined
    )
      this.#refuse(
        refusal(
          "SECTION_NOT_KNOWN",
          `${atom.name} is taken out of ${section.name}, where the running one stays, and who goes through that section is not known`,
          where,
          "leave it there, and decide in code",
        ),
      );
  }

  #isSeenOutside(atom: Atom): boolean {
    return atom.symbols.some(({ binding }) => binding !== 0);
  }

  #whyGone(atom: Atom): string {
    return this.#isOver(atom)
      ? "it was used when its object was started or loaded"
      : "the new code does not use it, and what still runs the old code has it";
  }

  /**
   * What travels and differs has an old one that stays where it is: all that
   * referred to it has to be redirected, or to travel in its turn.
   */
  #checkOldOnes(): void {
    const { pairing } = this.#books;
    const stays = (atom: Atom) => this.#decided.get(atom)?.fate === "travels";
    const queue = [...this.#decided.keys()].filter((atom) => stays(atom) && this.#ledger.stateOf(atom) === "differs");
    const seen = new Set(queue);
    for (let atom = queue.pop(); atom !== undefined; atom = queue.pop()) {
      const twin = pairing.originalOf.get(atom);
      if (twin === undefined) continue;
      for (const user of this.#livingUsers(twin)) {
        const now = pairing.patchedOf.get(user);
        const fate = now === undefined ? undefined : this.#decided.get(now)?.fate;
        if (now === undefined || fate === "replaced" || fate === "overwritten" || seen.has(now)) continue;
        if (fate !== "travels")
          this.#refuseUnaccounted(atom, `is changed, and ${user.name}, which stays, has the old one`);
        else {
          seen.add(now);
          queue.push(now);
        }
      }
    }
  }

  /** Of the original's atom: those that go on, the users of what has no name in its place. */
  #livingUsers(atom: Atom, seen: Set<Atom> = new Set()): Atom[] {
    return (this.#usersBefore.get(atom) ?? []).flatMap(({ atom: user }) => {
      if (seen.has(user)) return [];
      seen.add(user);
      if (this.#isOver(user))
        return user.section.role === "init" && atom.kind === "constant" && mayHandOut(user, atom) ? [user] : [];
      return user.anonymous && user.kind === "code" ? this.#livingUsers(user, seen) : [user];
    });
  }

  /** What stays as it is, and would have to speak of new code or data by more than the entry of a function. */
  #checkOutsider(atom: Atom): void {
    if (this.#isOver(atom) || isCode(atom) || isOfCheck(atom)) return;
    const reference = atom.references.find(({ target }) => {
      if (target.kind !== "atom" || target.atom === atom) return false;
      const fate = this.#decided.get(target.atom)?.fate;
      if (fate !== "replaced" && fate !== "travels") return false;
      if (target.atom.kind === "function") return target.offset !== entryOffset(target.atom);
      return target.atom.kind === "code" || !this.#books.pairing.originalOf.has(target.atom);
    });
    if (reference?.target.kind !== "atom") return;
    // That cannot be brought at all, and is refused by itself.
    if (!isKnown(reference.target.atom.section)) return;
    const [code, what, hint] = whyNotHeld(atom) ?? [
      "SECTION_NOT_KNOWN",
      `${atom.name} in ${atom.section.name} says something of ${reference.target.atom.name}, which changes, and what that means for the new version is not known`,
      "leave out what puts it there, or change other code",
    ];
    this.#refuse(refusal(code, what, `${this.#books.patched.name}: ${atom.section.name}`, hint));
  }

  #checkSection(atom: Atom): void {
    const { section } = atom;
    if (section.environment === "kernel" && atom.symbols.some(({ type }) => type === GNU_IFUNC))
      this.#refuse(
        refusal(
          "IFUNC_CHANGED",
          `${atom.name} is to be chosen when it is linked (ifunc), and the kernel's module loader chooses nothing`,
          `${this.#books.patched.name}: ${section.name}`,
          "choose with a static call or a static key",
        ),
      );
    if (section.role === "init" || isKnown(section)) return;
    const [code, what, hint] = whyNotBrought(atom);
    this.#refuse(refusal(code, what, `${this.#books.patched.name}: ${section.name}`, hint));
  }

  #record(atom: Atom, { fate, by, why }: Fate): void {
    const piece = pieceRecord(this.#books.patched.name, atom);
    this.#fates.push({ ...piece, fate, ...(by === undefined ? {} : { by }), why });
  }

  #refuse(finding: Refusal): void {
    this.#refusals.set(`${finding.code} ${finding.what}`, finding);
  }

  #refuseUnaccounted(atom: Atom, what: string): void {
    this.#refuse(
      refusal(
        "UNACCOUNTED_DIFFERENCE",
        `${atom.name} in ${atom.section.name} ${what}, and nothing of the livepatch accounts for that`,
        `${this.#books.patched.name}: ${atom.section.name}`,
        "leave that part of the change out, or make it in code that the livepatch can replace",
      ),
    );
  }

  /** Whether an initcall of the function is in both units. */
  #isCalledBefore(name: string): boolean {
    const { original, patched } = this.#books;
    return [original, patched].every((unit) =>
      unit.atoms.some((atom) => calledBy(atom, "").some((called) => called.name === name)),
    );
  }

  #leaveOut(code: RefusalCode, atom: Atom, [what, hint]: readonly [string, string]): void {
    const { name, section } = atom;
    if (!isFunction(atom) && !isRegistered(section.name)) return;
    const where = `${this.#books.patched.name}: ${section.name}`;
    const leaveOut = (subject: string, called?: PieceRecord): void =>
      void this.#leftOut.push({ finding: refusal(code, `${subject} ${what}`, where, hint), atom, called });
    const called = isFunction(atom) ? [] : calledBy(atom, this.#books.patched.name);
    for (const each of called) {
      const subject = `the initcall of ${each.name}`;
      if (this.#isCalledBefore(each.name))
        this.#leftOut.push({ finding: movedInit(subject, this.#books.patched.name), atom, called: each });
      else leaveOut(subject, each);
    }
    if (called.length === 0) leaveOut(isFunction(atom) ? name : section.name);
  }
}

/** Both the new entry and the one that is gone speak of it. */
function movedInit(subject: string, source: string): Refusal {
  const what = `${subject} comes at another time, and has run when its object was started`;
  return refusal("INIT_ALREADY_RAN", what, source, "nothing to do, unless what it did depends on the time");
}

/** STT_GNU_IFUNC */
const GNU_IFUNC = 10;

const NEW_INIT = [
  "is new, and would have run when its object was started, which it was before a livepatch can come",
  "do what it would do in a post-patch callback",
] as const;

const GONE_INIT = [
  "is gone, and has run when its object was started",
  "take back what it has done in a post-patch callback",
] as const;

const NEW_ENTRY = [
  "has a new entry, and is read only when its object is loaded",
  "nothing to do, unless the running object depends on it",
] as const;

function isFunction({ kind }: Atom): boolean {
  return kind === "function";
}

/** An initcall is known by what it calls, any other entry by its section. */
function calledBy({ section, references }: Atom, source: string): PieceRecord[] {
  if (!INITCALL.test(section.name)) return [];
  return references.flatMap(({ target }) => {
    if (target.kind === "atom") return [pieceRecord(source, target.atom)];
    return target.kind === "external" ? [{ source, section: "", name: target.name }] : [];
  });
}

function isExit({ section: { name } }: Atom): boolean {
  return name === ".exit.text" || name === ".exit.data";
}

/** Whether entries of a section are gathered when the kernel starts, or an object is loaded: data of init code is not. */
function isRegistered(section: string): boolean {
  return !/^\.(init|meminit)\.(data|rodata|bss)/.test(section);
}
