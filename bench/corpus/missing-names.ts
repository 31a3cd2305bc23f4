/** What a compiler's errors say is missing, and which changed headers have it. */

/** Of C and, in the kernel, of everywhere: no header is wanted for them. */
const COMMON = new Set(
  (
    "struct union enum const static inline void int long short char unsigned signed bool volatile return sizeof typeof " +
    "_Bool u8 u16 u32 u64 s8 s16 s32 s64 __u8 __u16 __u32 __u64 __be16 __be32 __be64 __le16 __le32 __le64 size_t ssize_t " +
    "loff_t gfp_t pid_t uid_t dma_addr_t phys_addr_t"
  ).split(" "),
);

/**
 * The names that the errors are about, for each in the order of their likelihood:
 * the member that there is not, else what is quoted first, else all that is
 * quoted. What the compiler supposes to be meant is not among them.
 */
export function missingNames(words: string): ReadonlySet<string>[] {
  const errors = words
    .split("\n")
    .filter((line) => /\berror:/.test(line))
    .map((line) => line.replace(/^.*?\berror:/, "").replace(/; did you mean .*$/, ""));
  const first = errors.flatMap((line) => {
    const member = /has no member named '(\w+)'/.exec(line)?.[1];
    return member === undefined ? quotedIn(line).slice(0, 1) : [member];
  });
  return [namesIn(first), namesIn(errors.flatMap(quotedIn))];
}

/**
 * The headers whose changes mention one of the names: of those that are most
 * likely, and where no header has any, with the longest part of one, as macros
 * put names together (`dev_##name`); none where none has.
 *
 * @param changes of a header, the lines by which it changes
 */
export function headersFor(
  names: readonly ReadonlySet<string>[],
  headers: readonly string[],
  changes: (header: string) => string,
): string[] {
  for (const wanted of names) {
    const having = headers.filter((path) => mentions(changes(path), wanted));
    if (having.length > 0) return having;
    const longest = Math.max(0, ...headers.map((path) => longestPart(changes(path), wanted)));
    if (longest > 0) return headers.filter((path) => longestPart(changes(path), wanted) === longest);
  }
  return [];
}

export function mentions(text: string, names: ReadonlySet<string>): boolean {
  for (const [word] of text.matchAll(WORD)) if (names.has(word)) return true;
  return false;
}

const WORD = /[A-Za-z_]\w*/g;
const SHORTEST_PART = 5;

/** The length of the longest word that a name begins or ends with, beside an underscore; 0 for none. */
function longestPart(text: string, names: ReadonlySet<string>): number {
  let longest = 0;
  for (const [word] of text.matchAll(WORD)) {
    if (word.length < SHORTEST_PART || word.length <= longest) continue;
    const lower = word.toLowerCase();
    for (const name of names) {
      const whole = name.toLowerCase();
      if (whole.endsWith(`_${lower}`) || whole.startsWith(`${lower}_`)) longest = word.length;
    }
  }
  return longest;
}

function quotedIn(line: string): string[] {
  return [...line.matchAll(/'([^']+)'|"([^"]+)"/g)].map(([, single, double]) => single ?? double ?? "");
}

function namesIn(quoted: readonly string[]): ReadonlySet<string> {
  const words = quoted.flatMap((text) => text.match(WORD) ?? []);
  return new Set(words.filter((word) => !COMMON.has(word)));
}
