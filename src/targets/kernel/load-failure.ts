/** Why the kernel did not take a module in: its own words, and what they mean. */
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { LogLine } from "./kernel-messages.ts";

/** What is quoted of the log. */
const MOST_LINES = 6;

interface Meaning {
  /** In what insmod says, which is the error's text of the C library or of busybox. */
  readonly said: RegExp;
  readonly means: string;
  readonly hint: string;
}

/** Source: the errors of load_module in kernel/module/main.c, and of klp_enable_patch. */
const MEANINGS: readonly Meaning[] = [
  {
    said: /key was rejected|required key not available|key has (expired|been revoked)/i,
    means: "the kernel does not trust the key that it is signed with, or it is not signed",
    hint: "sign it with a key that the kernel trusts: suture sign FILE --kernel-key KEY --certificate CERT",
  },
  {
    said: /operation not permitted|permission denied/i,
    means: "loading modules is not permitted",
    hint: "run suture as root; a locked-down kernel, and one with kernel.modules_disabled, takes in none",
  },
  {
    said: /device or resource busy/i,
    means: "another transition goes on, or a function is taken by something else that redirects it",
    hint: "see: suture list; wait for the transition that goes on",
  },
  {
    said: /file exists/i,
    means: "a module of its name is loaded",
    hint: "unload that one first, or build this one under another name",
  },
  {
    said: /invalid module format|exec format error/i,
    means: "it was made for another kernel",
    hint: "build it again with: suture build --kernel running",
  },
  {
    said: /unknown symbol/i,
    means: "it refers to something that this kernel does not have",
    hint: "build it again with: suture build --kernel running",
  },
  {
    said: /cannot allocate memory|out of memory/i,
    means: "there is not enough memory for it",
    hint: "see what uses up the kernel's memory",
  },
  {
    said: /invalid (argument|parameter)|no such file|no such process/i,
    means: "the kernel's livepatch core does not accept it: an object or a function in it is not as it should be",
    hint: "try it in a virtual machine with: suture rehearse",
  },
];

/**
 * @param said what insmod said
 * @param log what the kernel's log has got meanwhile
 */
export function loadFailure(name: string, said: string, log: readonly LogLine[]): Refusal {
  const meaning = MEANINGS.find((each) => each.said.test(said));
  const means = meaning === undefined ? "" : `: ${meaning.means}`;
  const words = [said, ...log.slice(-MOST_LINES).map(({ text }) => `the kernel's log: ${text}`)].filter(
    (line) => line !== "",
  );
  return refusal(
    "LOAD_FAILED",
    `the kernel did not take ${name} in${means}`,
    words.join("; "),
    meaning?.hint ?? "the kernel's log may say why: dmesg",
  );
}
