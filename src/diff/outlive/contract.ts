/** What functions of the kernel and of libraries are known to do with the pointers that they are given. */
/**
 * A function under a contract keeps no address that it is given longer than the
 * call, other than through the arguments in `keeps`.
 */
export interface Contract {
  /** Whether the bytes that an argument points to may go elsewhere, so that addresses among them would be kept. */
  readonly copies: boolean;
  /** The argument, from 0 on, that its result may be an address made from; undefined where it is none. */
  readonly returns: number | undefined;
  /** Arguments, from 0 on, that it does keep. */
  readonly keeps: readonly number[];
}

/** Functions under one contract. */
export interface ContractGroup extends Contract {
  /** Separated by white space; `*` at the end of one stands for any rest. */
  readonly names: string;
}

/** Looks contracts up by name; a name that is given whole goes before one that is given by its beginning. */
export class Contracts {
  readonly #exact = new Map<string, Contract>();
  readonly #begins: (readonly [string, Contract])[] = [];

  constructor(groups: readonly ContractGroup[]) {
    for (const { names, ...contract } of groups) {
      for (const name of names.trim().split(/\s+/)) {
        if (name.endsWith("*")) this.#begins.push([name.slice(0, -1), contract]);
        else this.#exact.set(name, contract);
      }
    }
  }

  of(name: string): Contract | undefined {
    return this.#exact.get(name) ?? this.#begins.find(([start]) => name.startsWith(start))?.[1];
  }
}
