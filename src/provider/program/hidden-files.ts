/** A view of /usr without some of its files, in a mount namespace of its own that nothing else sees. */
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../../lib/run.ts";
import { temporaryDirectory } from "../../lib/temp.ts";

/** Until it is disposed of. */
export interface HiddenFiles extends AsyncDisposable {
  /** The command line that runs `command` without the files. */
  command(command: readonly string[]): string[];
}

/**
 * `$1` an empty directory, `$2` a file with the directories and files to be made for the view, the rest a command.
 * A device 0, 0 in an overlay's upper directory is a file that is not there (kernel: filesystems/overlayfs).
 */
const SCRIPT = `set -e
mount -t tmpfs -o mode=700 tmpfs "$1"
mkdir "$1/upper" "$1/work"
mknod "$1/none" c 0 0
( cd "$1" && perl -e '
  while (<STDIN>) {
    chomp;
    my ($kind, $path) = split / /, $_, 2;
    ($kind eq "d" ? mkdir("upper$path") : link("none", "upper$path")) or die "$path: $!";
  }' ) <"$2"
mount -t overlay -o "lowerdir=/usr,upperdir=$1/upper,workdir=$1/work" overlay /usr
shift 2
cd "$PWD"
exec "$@"`;

/**
 * Undefined where this user may make none, or where something is mounted below /usr, which would not be seen.
 * What is written below /usr in the view is lost with it.
 * @param paths below /usr, none of them in another one
 */
export async function withoutFiles(
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<HiddenFiles | undefined> {
  if (process.getuid?.() !== 0 || paths.length === 0 || isMountedBelowUsr()) return undefined;
  const directory = await temporaryDirectory();
  const view = join(directory.path, "view");
  const list = join(directory.path, "list");
  await writeFile(list, listOf(paths));
  await mkdir(view);
  const hidden = {
    command: (command: readonly string[]) => [
      ...["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", SCRIPT, "sh", view, list],
      ...command,
    ],
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
  const [program = "", ...args] = hidden.command(["true"]);
  const tried = await run(program, args, { signal });
  if (tried.exitCode === 0) return hidden;
  await hidden[Symbol.asyncDispose]();
  return undefined;
}

/** Each directory before what lies in it, by its path below /usr. */
function listOf(paths: readonly string[]): string {
  const lines = new Set<string>();
  for (const path of paths.map((each) => each.slice("/usr".length))) {
    const above: string[] = [];
    for (let at = dirname(path); at !== "/"; at = dirname(at)) above.unshift(at);
    for (const each of above) lines.add(`d ${each}`);
    lines.add(`n ${path}`);
  }
  return `${[...lines].join("\n")}\n`;
}

function isMountedBelowUsr(): boolean {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return mounts.some((line) => line.split(" ")[4]?.startsWith("/usr/") === true);
}
