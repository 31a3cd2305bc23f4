/** All kinds of mutants. What stands here twice is made twice as often. */
import { ADDITIONS } from "./additions.ts";
import { CODE_MUTATIONS } from "./code-mutations.ts";
import { DATA_MUTATIONS } from "./data-mutations.ts";
import type { Mutation } from "./mutation.ts";
import { NAMING_MUTATIONS } from "./naming-mutations.ts";

export const MUTATIONS: readonly Mutation[] = [
  ...CODE_MUTATIONS,
  ...CODE_MUTATIONS,
  ...ADDITIONS,
  ...NAMING_MUTATIONS,
  ...DATA_MUTATIONS,
];
