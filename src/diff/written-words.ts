/** Which words of what is in use are overwritten while the machine stands still, since new versions of functions do not do. */
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Effect } from "./effects.ts";
import { mayHandOut } from "./handed-out.ts";
import type { User } from "./hooks.ts";
import { differingOperations, differingPointers, differingWords, leadsToFunction, pointersToCopy } from "./in-place.ts";
import type { DiffOptions } from "./options.ts";
import type { Pairing } from "./pairing.ts";
import { PARAMETERS } from "./roles.ts";
import type { SelectedWord } from "./selection.ts";
import { hasDirectories, isOnlyRegistered, SYSCTL_TABLE, sysctlWords } from "./sysctl-words.ts";
import type { Atom } from "./unit.ts";

/** What is known of who uses the atoms of the patched unit. */
export interface Uses {
  /** All of them. */
  of(atom: Atom): readonly User[];
  /** Those that last. */
  live(atom: Atom): readonly User[];
  /** Whether new versions of the functions that use a constant are all that has to know of it. */
  travels(constant: Atom): boolean;
  /** What was freed when its object was up, and may have given away a constant's address before. */
  handedOutAtStart(constant: Atom): readonly Atom[];
  where(atom: Atom): string;
}

/** The words of one atom, or a refusal, or neither: it is dealt with in another way then. */
export interface Writing {
  readonly words?: readonly SelectedWord[] | undefined;
  readonly refusal?: Refusal | undefined;
}

/** Answers for the atoms of one unit. */
export class WrittenWords {
  readonly #uses: Uses;
  readonly #pairing: Pairing;
  readonly #options: DiffOptions;

  constructor(uses: Uses, pairing: Pairing, options: DiffOptions) {
    this.#uses = uses;
    this.#pairing = pairing;
    this.#options = options;
  }

  of(atom: Atom, effect: Effect): Writing {
    if (this.#options.canSwitch !== true || effect.kind === "none") return {};
    if (atom.kind !== "constant") return { words: this.#pointersOf(atom) };
    return effect.kind === "change" ? this.#ofConstant(atom) : {};
  }

  #ofConstant(constant: Atom): Writing {
    const where = this.#uses.where(constant);
    if (this.#isCopied(constant)) return { refusal: copiedAtRegistration(constant.name, where) };
    const differing = differingWords(constant, this.#pairing);
    const inPlace = this.#areReadInPlace(constant, differing) ? differing : undefined;
    // One that is handed out, to a parser of messages for one, is the same for everybody if it can be.
    if (this.#uses.travels(constant)) return this.#isHandedOut(constant) ? { words: inPlace } : {};
    const words = inPlace ?? this.#operationsOf(constant);
    const written = words ?? this.#pointersToCopy(constant);
    return written === undefined && differing !== undefined
      ? { refusal: notReadInPlace(constant.name, where) }
      : { words: written };
  }

  #isHandedOut(constant: Atom): boolean {
    return this.#uses.live(constant).some(({ atom }) => mayHandOut(atom, constant));
  }

  #areReadInPlace({ name }: Atom, words: readonly SelectedWord[] | undefined): boolean {
    const is = this.#options.readInPlace?.(name);
    if (words === undefined || is === undefined) return false;
    return words.every(({ after }) => (leadsToFunction(after) ? is.functions : is.contents) === true);
  }

  /** Where variables that are used in place alone lead to it: they lead to a copy of the new one then. */
  #pointersToCopy(constant: Atom): readonly SelectedWord[] | undefined {
    const users = [...new Set(this.#uses.live(constant).map(({ atom }) => atom))];
    const isCopied = users.length > 0 && users.every((user) => this.#isUsedInPlace(user));
    return isCopied && this.#uses.handedOutAtStart(constant).length === 0
      ? pointersToCopy(constant, users, this.#pairing)
      : undefined;
  }

  /** Whether something else than its functions changes, of which the kernel has made a copy. */
  #isCopied(constant: Atom): boolean {
    if (this.#options.readInPlace?.(constant.name)?.copied !== true) return false;
    return this.#pairing.originalOf.has(constant) && differingOperations(constant, this.#pairing) === undefined;
  }

  #operationsOf(table: Atom): readonly SelectedWord[] | undefined {
    const is = this.#options.readInPlace?.(table.name)?.newFunctions === true;
    return is ? differingOperations(table, this.#pairing) : undefined;
  }

  #pointersOf(variable: Atom): readonly SelectedWord[] | undefined {
    if (this.#isSysctlTable(variable)) return this.#sysctlsOf(variable);
    return this.#isUsedInPlace(variable) ? differingPointers(variable, this.#pairing) : undefined;
  }

  #isSysctlTable({ name, kind, section }: Atom): boolean {
    return kind === "data" && section.role === "data" && this.#options.structOf?.(name) === SYSCTL_TABLE;
  }

  #sysctlsOf(table: Atom): readonly SelectedWord[] | undefined {
    const original = this.#pairing.originalOf.get(table);
    const layout = this.#options.layoutOf?.("ctl_table");
    const words = differingPointers(table, this.#pairing);
    if (original === undefined || layout === undefined || words === undefined) return undefined;
    // The copy of a module's goes when that takes the table back.
    if (this.#options.isModule && hasDirectories(original, layout)) return undefined;
    const isAlone = isOnlyRegistered(this.#uses.of(table), (atom) => this.#isSysctlTable(atom));
    return isAlone ? sysctlWords(words, original, layout) : undefined;
  }

  #isUsedInPlace({ name, kind, section }: Atom): boolean {
    if (kind !== "data" || !(section.role === "data" || section.name === PARAMETERS)) return false;
    // kernel/params.c: by the attributes of /sys/module, under the module's lock of parameters.
    return section.name === PARAMETERS || this.#options.readInPlace?.(name)?.pointers === true;
  }
}

/** What is said of a constant that would have to be written over, and of which the kernel may have a copy. */
function notReadInPlace(name: string, where: string): Refusal {
  return refusal(
    "CONSTANT_IN_USE",
    `the constant ${name} is changed, and is in use where it lies; it is of no type of which it is known that the kernel reads it there each time: what was made of it when it was registered would stay`,
    where,
    "leave it as it is, and decide in the functions that it names or that read it",
  );
}

/** What is said of a constant of one of these that changes in more than its functions. */
function copiedAtRegistration(name: string, where: string): Refusal {
  return refusal(
    "CONSTANT_IN_USE",
    `the constant ${name} is changed, of which the kernel copies name, mode and size when it is registered: what is registered stays as it was`,
    where,
    "leave it as it is, and decide in the functions that it names",
  );
}
