/** What a build's output says of why it failed: the failing step's own words, not what came last. */

/** From here on dh prints whole files, a log of configure's tests among them. */
const DUMP = /^\s*(cd \S+ && )?tail -v -n \+0 |^==> \S+ <==$/;
/** A build tool says that a step has failed. */
const FAILED =
  /^(g?make(\[\d+\])?: \*\*\* |ninja: (error|build stopped)|FAILED: |scons: \*\*\* |dh_\w+: error: .* returned exit code|-- Configuring incomplete)/;
/** The last word of a configure step, which no test of it prints. */
const CONFIGURE = /^(\S*configure: error: |CMake Error|\S*meson\.build:\d+:\d+: ERROR: |\S+: error: Cannot find )/i;
/** Words of compilers, linkers, shells and interpreters. */
const CAUSES = [
  /(^|[\s:])(fatal |internal compiler )?error(\[\w+\])?: /,
  /undefined reference to /,
  /(^|: )\d*:? ?\S+: (command )?not found$/,
  /: No such file or directory|No space left on device|: Permission denied/,
  /^Can't (locate|open) /,
  /^Traceback \(most recent call last\)|^\w*(Error|Exception): /,
  /No rule to make target/,
  /^\S*ld: cannot find /,
  /^(E|Error|ERROR|FATAL): /,
  /[Ss]egmentation fault|^Killed/,
];
/** That what was told before went wrong, and no more. */
const CONSEQUENCE = /collect2: error: |dpkg-buildpackage: error: |returned exit code|waiting for unfinished|^g?make/i;
/** A command as make shows it before it runs it, which may have any word in it. */
const COMMAND =
  /^\s*(\/\S+\/)?(\w+-linux-gnu-)?(gcc|g\+\+|cc|c\+\+|clang\S*|libtool:|sh|\/bin\/\w+|cd|if|test|echo|checking) /;

const BEFORE = 2;
const AFTER = 12;
const WINDOW = 400;

/** The lines that tell the cause, a few around them among them; the last ones where none of them does. */
export function buildError(log: string): string {
  const all = log.trimEnd().split("\n");
  const dump = all.findIndex((line) => DUMP.test(line));
  const lines = dump < 0 ? all : all.slice(0, dump);
  const configure = lines.findIndex((line) => CONFIGURE.test(line));
  if (configure >= 0) return around(lines, configure);
  const stop = lines.findIndex((line) => FAILED.test(line));
  const end = stop < 0 ? lines.length : stop + 1;
  const from = Math.max(0, end - WINDOW);
  const isCause = (line: string) =>
    CAUSES.some((cause) => cause.test(line)) && !CONSEQUENCE.test(line) && !COMMAND.test(line);
  const causes = lines.slice(from, end).flatMap((line, i) => (isCause(line) ? [from + i] : []));
  // Of one file's errors the first one is the cause; of several steps side by side the failing one spoke last.
  const last = causes.at(-1);
  if (last === undefined) return lines.slice(Math.max(0, end - BEFORE - AFTER), end).join("\n");
  let first = causes.length - 1;
  while (first > 0 && (causes[first] as number) - (causes[first - 1] as number) <= AFTER) first--;
  return around(lines, causes[first] as number, end);
}

function around(lines: readonly string[], at: number, end = lines.length): string {
  return lines.slice(Math.max(0, at - BEFORE), Math.min(at + AFTER, Math.max(end, at + 1))).join("\n");
}
