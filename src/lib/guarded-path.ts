/** Files that decide what is trusted: whether anybody could have written them who may not. */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { SutureError } from "./error.ts";

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;
/** As many as the kernel follows in one path (MAXSYMLINKS). */
const MOST_LINKS = 40;

/**
 * Sees to it that nobody but root and the user of this process can change what `path`
 * leads to: it, each directory on the way to it and each link belong to one of the two,
 * and nobody else may write to any. Whoever passes that could do as this process does
 * anyhow. A directory above in which all may write and none may take away what is
 * another's (sticky, as /tmp) is passed through.
 *
 * False where it is not there. Throws `TRUST_NOT_SAFE`; `what` is told, as in `the directory of trusted keys`.
 */
export function isGuarded(path: string, what: string): boolean {
  const rest = partsOf(resolve(path));
  let at: string = sep;
  for (let links = 0; ; ) {
    const it = lstatSync(at, { throwIfNoEntry: false });
    if (it === undefined) return false;
    const isSticky = rest.length > 0 && it.isDirectory() && (it.mode & STICKY) !== 0;
    const why = whyNot(it, isSticky);
    if (why !== undefined) throw notSafe(path, at, `${what} cannot be trusted: ${why}`);
    if (it.isSymbolicLink()) {
      if (++links > MOST_LINKS) throw notSafe(path, at, `${what} cannot be reached: its links lead round in a circle`);
      rest.unshift(...partsOf(resolve(dirname(at), readlinkSync(at))));
      at = sep;
      continue;
    }
    const next = rest.shift();
    if (next === undefined) return true;
    at = join(at, next);
  }
}

function partsOf(absolute: string): string[] {
  return absolute.split(sep).filter((part) => part !== "");
}

function whyNot(it: Stats, isSticky: boolean): string | undefined {
  if (it.uid !== 0 && it.uid !== process.geteuid?.()) return `the user ${it.uid} owns it`;
  // Nobody looks at a link's own mode.
  if (it.isSymbolicLink() || isSticky || (it.mode & WRITABLE_BY_OTHERS) === 0) return undefined;
  return "others than its owner can write to it";
}

function notSafe(path: string, at: string, what: string): SutureError {
  return new SutureError("TRUST_NOT_SAFE", what, {
    where: at === path ? path : `${at}, on the way to ${path}`,
    hint: "who can write there decides what is trusted: chown root it, chmod go-w it, and look at what is in it",
  });
}
