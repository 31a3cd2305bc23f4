import type { Refusal } from "../patch/refusal.ts";
import type { Finding } from "./kernel-log.ts";

/** The order of things in a boot: the modules that are patched are loaded before the livepatch, or after it. */
export type BootKind = "targets first" | "livepatch first";

/** One thing that was done in the guest. After one that is not `ok` a boot's plan is not gone on with. */
export interface RehearsalStep {
  readonly boot: BootKind;
  /** What was done, in words. */
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  /** What went wrong, or is worth knowing. */
  readonly detail?: string | undefined;
  /** What a script of the user printed. */
  readonly output?: string | undefined;
}

/** What the rehearsal showed of one object that the livepatch patches. */
export interface RehearsedObject {
  /** `vmlinux`, or a module's name. */
  readonly name: string;
  /** Whether the stock module can be loaded in the virtual machine at all; many drivers cannot. */
  readonly targetLoads: boolean;
  /** Why not, in the kernel's words. */
  readonly targetError?: string | undefined;
  /** Shown as patched where it was loaded before the livepatch; undefined where that was not seen. */
  readonly patchedBefore: boolean | undefined;
  /** The same where it was loaded after the livepatch. */
  readonly patchedAfter: boolean | undefined;
}

/** A line of the guest's kernel log that speaks against the livepatch, and the step during which it came. */
export interface RehearsalFinding extends Finding {
  readonly boot: BootKind;
  readonly step: string;
}

/** A transition that was completed in the guest. */
export interface Transition {
  readonly boot: BootKind;
  readonly direction: "patching" | "unpatching";
  /** By the kernel log of the guest. */
  readonly seconds: number;
}

/** All that the boots showed. Everything is told that led to `ok`, so that a reader may judge otherwise. */
export interface Rehearsal {
  readonly kind: "rehearsed";
  readonly livepatch: string;
  readonly release: string;
  /** Every step was done, nothing was found, every object whose module loads was patched. */
  readonly ok: boolean;
  readonly boots: readonly { readonly kind: BootKind; readonly seconds: number; readonly log: string }[];
  readonly steps: readonly RehearsalStep[];
  readonly transitions: readonly Transition[];
  /** The longest transition to the patched state; undefined where none was completed. */
  readonly transitionSeconds: number | undefined;
  readonly objects: readonly RehearsedObject[];
  readonly findings: readonly RehearsalFinding[];
  /** The guest did not start again between the first step and the last. */
  readonly uptimeContinues: boolean;
  /** The guest died or hung, and during which step. */
  readonly lost?: { readonly boot: BootKind; readonly step: string; readonly what: string } | undefined;
  readonly seconds: number;
}

/** `refused`: no guest was booted, since the file is none that this kernel can take. */
export type RehearsalResult = Rehearsal | { readonly kind: "refused"; readonly refusal: Refusal };
