/** What the core refuses, with the commands that help: it knows none itself. */
import type { Refusal } from "../../patch/refusal.ts";

/** Hints by code. @param patch that the refusal names as its place */
const COMMANDS: { readonly [code: string]: ((patch: string) => string) | undefined } = {
  ALREADY_LOADED: (patch) => `suture enable ${patch}`,
  NO_SUCH_PATCH: () => "see: suture list",
  NO_TRANSITION: () => "see: suture list",
  PATCH_ENABLED: (patch) => `suture disable ${patch}`,
  TRANSITION_PENDING: (patch) => `suture enable ${patch} or suture disable ${patch} goes on with it or turns it round`,
};

/** The refusal with a command for a hint where one helps; the core's own words where none does. */
export function withCommands(refusal: Refusal): Refusal {
  const hint = COMMANDS[refusal.code]?.(refusal.where);
  return hint === undefined ? refusal : { ...refusal, hint };
}
