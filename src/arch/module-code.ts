/** The few instructions that a livepatch module needs of its own. */

/** A field to relocate: `offset` is in bytes from the code's start, `type` R_*. */
export interface CodeField {
  readonly offset: number;
  readonly type: number;
  /** What the field refers to, by a name that the linker gives a meaning. */
  readonly symbol: string;
  readonly addend: number;
}

/** Instructions that lie anywhere once their fields are filled in. */
export interface MachineCode {
  readonly bytes: Buffer;
  readonly fields: readonly CodeField[];
  /** Entries of special sections: the section, and the offset in `bytes` that one says something of. */
  readonly sites: readonly { readonly section: string; readonly at: number }[];
}

/** How the kernel was built, as far as it decides how code has to look. */
export interface CodeTraits {
  /** CONFIG_RETHUNK or CONFIG_MITIGATION_RETHUNK: every return goes through a thunk. */
  readonly hasReturnThunk: boolean;
}

/** All code that a livepatch module has and no compiler has made. */
export interface ModuleCode {
  /**
   * int init(void) { return klp_enable_patch(&patch); }, before it, where the module
   * is to stay for good (`isHeld`), a reference on itself. The kernel frees a module
   * whose init fails whatever references there are. klp_enable_patch returns to its
   * caller's caller, so that no frame of this code, which has no tables, is on a stack
   * while stacks are checked. Symbols: `patch`, `__this_module`, names of the kernel's.
   */
  init(traits: CodeTraits, isHeld: boolean): MachineCode;
  /** void exit(void) {} — without one the kernel does not unload a module. */
  exit(traits: CodeTraits): MachineCode;
  /**
   * A livepatch callback: `object->mod->exit = symbol`, and a reference on the
   * livepatch taken or given back, so that it cannot go while the pointer leads
   * into it. Returns 0.
   * @param offsets of `mod` in struct klp_object, of `exit` in struct module
   */
  setModuleExit(
    symbol: string,
    reference: "__module_get" | "module_put",
    offsets: { readonly mod: number; readonly exit: number },
    traits: CodeTraits,
  ): MachineCode;
}
