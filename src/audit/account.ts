/** Each difference beside what the livepatch says of itself. */
import type { CommonMetadata, FateRecord, FuncRecord } from "../patch/metadata.ts";
import { type Comparison, type Difference, placeReason } from "./compare.ts";
import { type FileEffects, REQUEST } from "./file-effects.ts";
import type { Gathered } from "./gathered.ts";
import { isExit, isPiece, isStart, type Links, leftOutBy } from "./left-out.ts";
import { isCounted, plainName, wholeOf } from "./names.ts";
import { isWritable, type Named } from "./plain-object.ts";
import { type PlaceRule, Sameness } from "./same.ts";
import { NO_USERS, targetsOf, type Users, usersIn } from "./users.ts";

/** What the audit takes from the metadata of either kind of livepatch. */
export interface Claims {
  readonly metadata: Pick<CommonMetadata, "leftOut" | "fates">;
  readonly objects: readonly { readonly name: string; readonly funcs: readonly FuncRecord[] }[];
  readonly effects: FileEffects;
  /** Whether the running kernel or program has something of this name that all its files see. */
  isRunning(name: string): boolean;
  /** Whether the livepatch has code of this name. */
  hasCode(name: string): boolean;
  /** Whether the livepatch uses what runs under this name. */
  binds(name: string): boolean;
  /** The livepatch's sections of which the linker gathers the entries. */
  readonly gathered: Gathered;
}

/** One thing that speaks against the livepatch. A livepatch of which the audit has none is accounted for as a whole. */
export interface AuditFinding {
  readonly source: string;
  readonly kind: /** Original and patched differ there, and the livepatch does not say what becomes of it. */
    | "unaccounted"
    /** It is patched, and neither it nor what it refers to differs. */
    | "idle"
    /** What is in the livepatch is not what the patched source compiles to. */
    | "other-code"
    /** The livepatch says that it is replaced, and its file, or the guest's memory, does not show that. */
    | "not-in-effect";
  readonly name: string;
  readonly section: string;
  /** A sentence. */
  readonly what: string;
}

/** What was found in order, and why. */
export interface Account {
  readonly source: string;
  readonly difference: Difference;
  readonly why: string;
}

/** All differences of one unit, each told apart, and what else speaks against the livepatch. */
export interface Accounting {
  /** In order. */
  readonly accounted: readonly Account[];
  /** Nothing in the unit or the livepatch explains them; what has moved between units is among them. */
  readonly unaccounted: readonly Difference[];
  /** About what the livepatch does and does not differ, or does not do. */
  readonly findings: readonly AuditFinding[];
}

/** One unit whose original and patched objects were compared, as they would be shipped. */
export interface AccountedUnit {
  readonly source: string;
  readonly isModule: boolean;
  readonly comparison: Comparison;
}

/**
 * Looks for the account of every difference. A function that is patched for no reason,
 * or that nothing leads away from, is a finding.
 */
export function accountFor(unit: AccountedUnit, claims: Claims): Accounting {
  const { source, comparison } = unit;
  const books = new Books(unit, claims);
  const accounted: Account[] = [];
  const unaccounted: Difference[] = [];
  for (const difference of comparison.differences) {
    const why = books.accountOf(difference);
    if (why !== undefined) accounted.push({ source, difference, why });
    else unaccounted.push(difference);
  }
  return { accounted, unaccounted, findings: [...books.idle(), ...books.withoutRedirect()] };
}

/** The finding that a difference is which nothing explains. */
export function unaccountedFinding(source: string, { kind, of, name, section, reason }: Difference): AuditFinding {
  const how = kind === "changed" ? `differs: ${reason}` : kind === "added" ? "is new" : "is gone";
  const what = `the ${of} ${name} ${how}, and the livepatch does not say what becomes of it`;
  return { source, kind: "unaccounted", name, section, what };
}

class Books {
  readonly #source: string;
  readonly #comparison: Comparison;
  readonly #claims: Claims;
  readonly #users: ReadonlyMap<Named, Users>;
  readonly #patchedUsers: ReadonlyMap<Named, Users>;
  readonly #patchedTargets: ReadonlyMap<Named, readonly Named[]>;
  readonly #links: Links;
  /** What the livepatch says that it replaces, and its file shows. */
  readonly #replaced: ReadonlySet<string>;
  readonly #differing: ReadonlyMap<Named, Difference>;

  constructor({ source, isModule, comparison }: AccountedUnit, claims: Claims) {
    this.#source = source;
    this.#comparison = comparison;
    this.#claims = claims;
    this.#users = usersIn(comparison.original);
    this.#patchedUsers = usersIn(comparison.patched);
    this.#patchedTargets = targetsOf(this.#patchedUsers);
    this.#replaced = new Set(
      this.#funcs()
        .filter((func) => isShown(func, claims))
        .map(({ name }) => name),
    );
    this.#differing = new Map(
      comparison.differences.flatMap((each) =>
        [each.original, each.patched].flatMap((named) => (named === undefined ? [] : [[named, each] as const])),
      ),
    );
    const targets = targetsOf(this.#users);
    const of = (named: Named) => this.#users.get(named) ?? this.#patchedUsers.get(named) ?? NO_USERS;
    this.#links = {
      isModule,
      usersOf: (named) => of(named).all,
      takersOf: (named) => of(named).takers,
      sectionsTo: (named) => [...of(named).sections],
      targetsOf: (named) => targets.get(named) ?? this.#patchedTargets.get(named) ?? [],
      isDifferent: (named) => this.#differing.has(named),
    };
  }

  #funcs(): FuncRecord[] {
    const funcs = this.#claims.objects.flatMap((object) => object.funcs);
    return funcs.filter(({ source }) => source === this.#source);
  }

  /** Why all is well with it; undefined where nothing says so. */
  accountOf(difference: Difference): string | undefined {
    const { name, section, original, patched, of, kind } = difference;
    if (of !== "section" && this.#replaced.has(name)) return "replaced";
    if (of === "function" && original !== undefined && this.#isReplaced(original)) return "a part of what is replaced";
    if (kind === "removed" && original?.kind === "function" && this.#isReplacedElsewhere(original))
      return "replaced by what another file defines now";
    if (this.#isOverwritten(difference)) return "overwritten in place";
    if (this.#isLed(difference)) return "what it points to is led to what has taken its place";
    const leftOut = leftOutBy(difference, this.#source, this.#claims.metadata.leftOut, this.#links);
    if (leftOut !== undefined) return `left out: ${leftOut}`;
    const fate = this.#fateOf(name, section);
    if (fate?.fate === "replaced" && fate.by === undefined && this.#claims.effects.redirects(fate.name, fate.name))
      return "replaced by the pointer to it";
    if (of === "variable" && REQUEST.test(section)) return this.#accountOfRequest(difference);
    if (of === "section" || (of === "variable" && !isOrdinary(section))) {
      if (this.#claims.gathered.hasSection(section) && this.#goesWithUsers(difference))
        return "the livepatch has the section";
      // An entry that is gone stays in the running object, for what no longer runs.
      if (kind === "removed" && original !== undefined && (this.#users.get(original)?.all.size ?? 0) > 0)
        if (this.#isReachedByReplacedOnly(original)) return "reached by what is replaced alone";
      if (!READ_AT_START.test(section)) return undefined;
      return fate === undefined ? undefined : `the livepatch says: ${fate.why}`;
    }
    if (kind === "added" && patched !== undefined) return this.#accountOfNew(difference, patched);
    if (original === undefined) return undefined;
    if (of === "variable" && isWritable(original.section)) return this.#accountOfLive(difference, original);
    if (this.#isReachedByReplacedOnly(original)) return "reached by what is replaced alone";
    return this.#isToldByUsers(difference) ? "told by those that use it, by what it holds" : undefined;
  }

  /** An entry of a section that is gathered: who uses it is accounted for; of one that nobody refers to the livepatch has its own. */
  #goesWithUsers({ of, original, patched }: Difference): boolean {
    if (of === "section") return true;
    const users = [
      ...(original === undefined ? [] : (this.#users.get(original)?.all ?? [])),
      ...(patched === undefined ? [] : (this.#patchedUsers.get(patched)?.all ?? [])),
    ];
    if (users.length === 0)
      return patched === undefined || this.#claims.gathered.hasEntry(patched, this.#pointedBy(patched));
    return users.every((user) => {
      if (user === "unknown") return false;
      const difference = this.#differing.get(user);
      return difference === undefined || this.#isSettledOnce(difference);
    });
  }

  /** What an entry of the patched source points to, also where something without bytes begins at the same place. */
  #pointedBy({ section, start, end }: Named): Named[] {
    const { object } = this.#comparison.patched;
    return object.fieldsIn(section, start, end).flatMap((field) => {
      const place = object.placeOf(field);
      return place.kind === "named" ? [place.named] : [];
    });
  }

  /** A constant whose name the compiler counts (__func__.3) is no one's but its users', which are compared by its contents. */
  #isToldByUsers({ original, patched }: Difference): boolean {
    const isTold = (named: Named, users: ReadonlyMap<Named, Users>): boolean =>
      isCounted(named.name) &&
      !named.isGlobal &&
      named.kind === "object" &&
      !isWritable(named.section) &&
      [...(users.get(named)?.all ?? [])].every((user) => {
        if (user === "unknown") return false;
        const difference = this.#differing.get(user);
        return difference === undefined || this.#isSettledOnce(difference);
      });
    return (
      (original === undefined || isTold(original, this.#users)) &&
      (patched === undefined || isTold(patched, this.#patchedUsers))
    );
  }

  #accountOfRequest({ kind, patched }: Difference): string | undefined {
    if (kind !== "added" || patched === undefined) return undefined;
    const targets = this.#patchedTargets.get(patched) ?? [];
    return this.#claims.effects.grants(patched, targets) ? "the livepatch has what it asks for" : undefined;
  }

  /** A live variable that goes may be one that is renamed, whose contents would be lost. */
  #accountOfLive({ kind }: Difference, { start, end }: Named): string | undefined {
    if (kind !== "removed") return undefined;
    const mayBeNew = this.#comparison.differences.some(
      (each) =>
        each.kind === "added" &&
        each.patched?.kind === "object" &&
        isWritable(each.patched.section) &&
        each.patched.end - each.patched.start === end - start,
    );
    return mayBeNew ? undefined : "gone, and nothing new is like it";
  }

  /** Functions that are patched and are the same, with nothing new or changed that they lead to. */
  idle(): AuditFinding[] {
    const named = new Map(this.#comparison.patched.object.named.map((each) => [each.name, each] as const));
    return this.#funcs()
      .filter(({ name }) => !this.#leadsToDifference(named.get(name)))
      .map(({ name, why }) => ({
        source: this.#source,
        kind: "idle" as const,
        name,
        section: named.get(name)?.section.name ?? "",
        what: `the function ${name} is patched and is the same in both (the livepatch says: ${why})`,
      }));
  }

  /** By itself, by a part of itself, or by constants that lead to what differs: these travel with it. */
  #leadsToDifference(patched: Named | undefined, seen = new Set<Named>()): boolean {
    if (patched === undefined || this.#differing.has(patched)) return true;
    if (seen.has(patched)) return false;
    seen.add(patched);
    return (this.#patchedTargets.get(patched) ?? []).some((target) => {
      const isPart = target.name !== patched.name && wholeOf(target.name) === patched.name;
      if (target.kind === "object" || isPart) return this.#leadsToDifference(target, seen);
      const difference = this.#differing.get(target);
      // Running code that calls a function by its name gets the new one by its hook.
      return difference !== undefined && !(difference.kind === "changed" && this.#replaced.has(target.name));
    });
  }

  /** Functions that the livepatch says it replaces, and that nothing in its file is led away from. */
  withoutRedirect(): AuditFinding[] {
    return this.#funcs()
      .filter(({ name }) => !this.#replaced.has(name))
      .map(({ name }) => ({
        source: this.#source,
        kind: "not-in-effect" as const,
        name,
        section: "",
        what: `the livepatch says that the function ${name} is replaced, and nothing in its file does that`,
      }));
  }

  #isOverwritten(difference: Difference): boolean {
    const sides = { original: this.#comparison.original.object, patched: this.#comparison.patched.object };
    return difference.of === "variable" && this.#claims.effects.overwrites(difference, sides);
  }

  /** What differs in nothing but running functions, each of which is led to the one that is named in its place now. */
  #isLed({ of, original, patched }: Difference): boolean {
    if (of === "section" || original === undefined || patched === undefined) return false;
    const rule: PlaceRule = (a, b) => {
      if (a.kind !== "named" || b.kind !== "named" || a.offset !== b.offset || !this.#replaced.has(a.named.name))
        return undefined;
      const isTaken = this.#funcs().some(({ name, newName }) => name === a.named.name && newName === b.named.name);
      return isTaken ? { reason: undefined } : undefined;
    };
    const { original: before, patched: after, lines } = this.#comparison;
    const same = new Sameness(before, after, lines, { place: rule });
    const reason = of === "function" ? same.functions(original, patched) : same.variables(original, patched);
    return reason === undefined && placeReason(original, patched) === undefined;
  }

  /** Of the original. */
  #isSettledInPlace(named: Named): boolean {
    const difference = this.#differing.get(named);
    return difference !== undefined && this.#isOverwritten(difference);
  }

  /** Whether it has run, or never runs. */
  #isOver({ section }: Named): boolean {
    return isStart(section.name) || (!this.#links.isModule && isExit(section.name));
  }

  #isReplaced(named: Named): boolean {
    return (
      this.#replaced.has(named.name) || (named.name !== wholeOf(named.name) && this.#hasReplaced(wholeOf(named.name)))
    );
  }

  /** A function that other files see, and that has moved to another one: of that name the running object has one alone. */
  #isReplacedElsewhere({ name, isGlobal }: Named): boolean {
    const named = this.#claims.objects.flatMap(({ funcs }) => funcs.filter((func) => func.name === name));
    const [func] = named;
    return isGlobal && named.length === 1 && func !== undefined && isShown(func, this.#claims);
  }

  #hasReplaced(name: string): boolean {
    return this.#replaced.has(name) || [...this.#replaced].some((each) => plainName(each) === plainName(name));
  }

  #fateOf(name: string, section: string): FateRecord | undefined {
    const ofUnit = this.#claims.metadata.fates.filter((each) => each.source === this.#source);
    // What macros put into sections of their own may be told of as the whole section.
    return (
      ofUnit.find((each) => isPiece(each, this.#source, name, section)) ??
      ofUnit.find((each) => each.name === section && each.section === section)
    );
  }

  #accountOfNew({ of, name }: Difference, patched: Named): string | undefined {
    if (patched.isGlobal && this.#claims.isRunning(name))
      return of === "variable" && this.#claims.binds(name) ? "the running one of its name is used" : undefined;
    if (of === "function" && this.#claims.hasCode(patched.name)) return "new, and in the livepatch";
    const users = [...(this.#patchedUsers.get(patched)?.all ?? [])];
    if (users.length === 0) return "new, and nothing refers to it";
    // What is the same as before uses nothing new: it leads to the end of what lies before, or to a constant of another name.
    const reached = users.every(
      (user) =>
        user !== "unknown" && (!this.#differing.has(user) || this.#claims.hasCode(user.name) || this.#isSettled(user)),
    );
    return reached ? "new, and goes with what refers to it" : undefined;
  }

  /** A difference that has its own account, so that what it alone leads to has it too. */
  #isSettled(named: Named): boolean {
    const difference = this.#differing.get(named);
    return difference !== undefined && difference.patched === named && this.#isSettledOnce(difference);
  }

  #settling = new Set<Difference>();

  #isSettledOnce(difference: Difference): boolean {
    if (this.#settling.has(difference)) return true;
    this.#settling.add(difference);
    const why = this.accountOf(difference);
    this.#settling.delete(difference);
    return why !== undefined;
  }

  /** Whether the original's users are all replaced, or reached by such alone, and none may have handed its address on. */
  #isReachedByReplacedOnly(named: Named, seen = new Set<Named>()): boolean {
    if (seen.has(named)) return true;
    seen.add(named);
    const users = this.#users.get(named);
    const isRemoved = this.#differing.get(named)?.kind === "removed";
    if (named.isGlobal && !isRemoved) return false;
    // What has no user but those that are the same has but another name now: of a constant, or a function of the file alone.
    const isGone = isRemoved && !isWritable(named.section) && (named.kind === "object" || !named.isGlobal);
    return [...(users?.all ?? [])].every((user) => {
      if (user === "unknown") return false;
      if (isGone && !this.#differing.has(user)) return true;
      if (this.#isOver(user)) return users?.takers.has(user) === false;
      if (this.#isReplaced(user) || this.#isSettledInPlace(user)) return true;
      if (user.kind === "object" && isWritable(user.section)) return false;
      return this.#isReachedByReplacedOnly(user, seen);
    });
  }
}

/** What the kernel or the module loader reads when an object is started, and not later. Initcalls are no such: what is new in them does not run. */
const READ_AT_START =
  /^(__modver|_+k(symtab|crctab).*|__ksymtab_strings|\.export_symbol|\.init\.(data|rodata|setup)|\.exitcall\.exit|__earlycon_table)$/;

/** Sections that hold nothing but variables and constants: what is in others is found by where it lies. */
function isOrdinary(section: string): boolean {
  return ORDINARY.test(section) || SEPARATE.test(section);
}

const ORDINARY =
  /^\.(BTF_ids|data|rodata|bss)(\.\.?(read_mostly|ro_after_init|once|cacheline_aligned|page_aligned|percpu.*|shared_aligned|init_once|unlikely))?$|^__tracepoint_str$/;
/** One a variable, or one a size. */
const SEPARATE = /^\.(rodata|data\.rel|data\.rel\.ro|bss|tdata|tbss)(\.(?!\.).*)?$/;

/** Whether the livepatch's file does what its metadata says of a function. */
function isShown({ name, newName = name }: FuncRecord, { effects }: Claims): boolean {
  return effects.redirects(name, newName);
}
