export interface DiffOptions {
  /** Whether the unit is part of a module, whose exit code can run. */
  readonly isModule: boolean;
  /** Whether a function needs a compiled-in hook at its entry (ftrace) to be patched. */
  readonly needsHook: boolean;
  /** Names of new functions and variables that come along, since other units of the diff refer to them. */
  readonly wanted?: ReadonlySet<string> | undefined;
}
