/** Placing the code of a livepatch in a running process, as the machine's dynamic linker would. */

/** Addresses are those of the process; fields are in the bytes that will be written there. */
export interface LoadAbi {
  /** Addresses of programs are below. */
  readonly addressEnd: number;
  /** What a relocation asks of its symbol; undefined for a type that is not filled in. */
  relocationValue(type: number): RelocationValue | undefined;
  /**
   * Fills in one field.
   * @param value what `relocationValue` asks for
   * @returns false where the result does not fit the field
   */
  applyRelocation(field: PlacedField, type: number, value: number, addend: number): boolean;
  /** Code that leads to what a slot says, however far that is. */
  readonly importStubSize: number;
  /** @returns undefined where the slot is out of reach of the stub */
  importStub(at: number, slot: number): Buffer | undefined;

  /** What the dynamic linker fills in, by the type of its relocation; undefined for others. */
  slotKind(type: number): SlotKind | undefined;
  /** From the thread pointer to the thread-local storage of the executable. @param segment PT_TLS, as its file says */
  threadOffset(segment: ThreadSegment): number;

  readonly registration: {
    /** Each of both functions. */
    readonly size: number;
    /** Writable bytes for the unwinder's own use, and where in them the word lies that says whether it is told. */
    readonly objectSize: number;
    readonly state: number;
    /** The function that tells the program's unwinder, and behind it the one that takes that back. */
    code(at: number, registration: FrameRegistration): Buffer;
  };
}

/** A field that is filled in, and where it will lie. */
export interface PlacedField {
  readonly data: Buffer;
  /** In `data`. */
  readonly offset: number;
  /** Its address. */
  readonly at: number;
}

/** What has to be known of a symbol to fill in a field. */
export type RelocationValue =
  /** The symbol's own address. */
  | "address"
  /** Its address, or that of a stub that jumps there. */
  | "call"
  /** Address of a slot that holds its address. */
  | "slot"
  /** Address of a slot that holds its offset from the thread pointer. */
  | "threadSlot"
  /** Address of a pair of slots that hold its module's number and its offset in the module's storage. */
  | "modulePair"
  /** The same with the offset 0. */
  | "moduleBase"
  /** Its offset in its module's thread-local storage. */
  | "moduleOffset"
  /** Its offset from the thread pointer. */
  | "threadOffset";

/** `pointer`: an address with an addend; `chosen`: what an indirect function has chosen. */
export type SlotKind = "address" | "call" | "copy" | "pointer" | "module" | "threadOffset" | "chosen";

/** Initial contents of thread-local storage: PT_TLS of a program header. */
export interface ThreadSegment {
  readonly address: number;
  readonly memorySize: number;
  readonly alignment: number;
}

/** Where things lie in the process. */
export interface FrameRegistration {
  /** The .eh_frame, which a zero ends. */
  readonly frames: number;
  /** `registration.objectSize` writable bytes; zeros at first. */
  readonly object: number;
  /** Addresses of `__register_frame_info` and `__deregister_frame_info`. */
  readonly register: number;
  readonly deregister: number;
}
