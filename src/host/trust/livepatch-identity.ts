/** Which livepatch a file is: what a signature is about, and what versions of it are compared by. */
import { SutureError } from "../../lib/error.ts";
import type { Loadable } from "../../targets/loadable.ts";

/** By what a livepatch says of itself. */
export interface LivepatchIdentity {
  readonly kind: "kernel" | "program";
  readonly name: string;
  /**
   * What it is for: `kernel RELEASE`, with the kernel's build-id behind it where the file has it, or
   * `program NAME BUILDID` for each executable and library.
   */
  readonly targets: readonly string[];
  /** As it was numbered when it was built, from 1; 0 where it was not. Of two of one name the higher one is newer. */
  readonly version: number;
}

/** Throws `NOT_A_LIVEPATCH` where it has a name that nobody can have meant. */
export function livepatchIdentity(loadable: Loadable): LivepatchIdentity {
  const identity = identityOf(loadable);
  for (const text of [identity.name, ...identity.targets.flatMap((target) => target.split(" "))])
    if (!isWord(text))
      throw new SutureError("NOT_A_LIVEPATCH", `no livepatch has a name as ${JSON.stringify(text.slice(0, 100))}`, {
        where: loadable.livepatch.path,
        hint: "build it again, with letters and digits in its name",
      });
  return identity;
}

/** What can stand between two spaces of a line, and be read by people. */
export function isWord(text: string): boolean {
  return /^[^\s\p{C}\p{Zl}\p{Zp}]{1,255}$/u.test(text);
}

function identityOf(loadable: Loadable): LivepatchIdentity {
  if (loadable.kind === "kernel") {
    const { name, vermagic, metadata, patchVersion: version } = loadable.livepatch;
    const release = vermagic.split(" ")[0] ?? "";
    const buildId = metadata?.kernel.buildId ?? "";
    const target = buildId === "" ? `kernel ${release}` : `kernel ${release} ${buildId}`;
    return { kind: "kernel", name, targets: [target], version };
  }
  const { name, objects, patchVersion = 0 } = loadable.livepatch.metadata;
  const targets = objects.map((object) => `program ${object.name} ${object.buildId}`);
  return { kind: "program", name, targets, version: patchVersion };
}
