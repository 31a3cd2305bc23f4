/** Where an address of the livepatch gets to that may outlive it, and where none does. */
import { describe, expect, test } from "vitest";
import { compared } from "../compiled.fixture.ts";
import { kernelContracts } from "./kernel-contracts.ts";
import { programContracts } from "./program-contracts.ts";
import { staysOf } from "./stays.ts";

const DECLARATIONS = `
typedef unsigned long size_t;
struct file { void *private; const char *name; int (*show)(void *); };
struct seq_file;
extern int _printk(const char *, ...), seq_printf(struct seq_file *, const char *, ...), seq_puts(struct seq_file *, const char *);
extern int single_open(struct file *, int (*)(void *), void *), register_it(const void *), take(const char *), look(struct file *);
extern void *memcpy(void *, const void *, size_t);
extern int strcmp(const char *, const char *);
extern char *strchr(const char *, int);
extern void sort(void *, size_t, size_t, int (*)(const void *, const void *), void *);
extern void *volatile global;
extern int numbers[16];
extern int (*hook)(int);
`;

function stays(before: string, after: string, more = "", gcc: readonly string[] = []): string[] {
  const source = (body: string) => `${DECLARATIONS}${more}\nint f(struct file *file, int n) { ${body} }\n`;
  const { diff } = compared(source(before), source(after), { gcc });
  expect(diff.refusals).toEqual([]);
  const records = staysOf([{ selection: diff.selection, isThere: () => true }], kernelContracts(false));
  return records.map((each) => `${each.function}: ${each.what} ${each.how}`);
}

const NEW = "noinline static int show(void *it) { return outside(3) + (it != NULL); }";

test.each([
  ["a condition", "return outside(n);", "if (n < 0) return -22; return outside(n);"],
  ["a message", "return outside(n);", '_printk("f: %d %s\\n", n, "text"); return outside(n);'],
  ["a line of a file", "return outside(n);", 'seq_puts((void *)file, "new "); return outside(n);'],
  [
    "a message of many arguments",
    "return outside(n);",
    '_printk("%s %s %s %s %s %s %s\\n", "a", "b", "c", "d", "e", "g", "h"); return n;',
  ],
  [
    "a comparison",
    "return outside(n);",
    'if (file->name && strcmp(file->name, "new") == 0) return 1; return outside(n);',
  ],
  [
    "what is found in a string",
    "return outside(n);",
    'int m = outside(n); char *it = strchr("new", m); return it ? *it : m;',
  ],
  ["a copy of a string", "return outside(n);", 'memcpy(file->private, "copied", 7); return outside(n);'],
  [
    "a copy on the stack",
    "return outside(n);",
    'char t[48] = "a long text that is copied word by word"; return t[n & 31] + outside(n);',
  ],
  ["a function that calls back", "return outside(n);", "sort(numbers, 16, 4, order, NULL); return outside(n);"],
  ["a variable of its own", "return outside(n);", "static int count; return outside(n) + count++;"],
  ["a table of its own", "return outside(n);", "return outside(table[n & 3]);"],
  ["a table of its own with strings", "return outside(n);", "return _printk(names[n & 3]);"],
  ["its own address", "return outside(n);", "global = f; return outside(n + 1);"],
  ["a call", "return outside(n);", "return show(file) + outside(n);"],
  ["a function that is known", "return outside(n);", 'return helper((void *)file, "known") + outside(n);'],
])("none by %s", (_, before, after) => {
  const more = `${NEW}
    noinline static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
    static const int table[] = { 5, 9, 2, 7 };
    static const char *const names[] = { "one", "two", "three", "four" };
    noinline int helper(struct seq_file *m, const char *text) { seq_printf(m, "%s", text); return text[0] == outside(2); }
  `;
  expect(stays(before, after, more)).toEqual([]);
});

test.each([
  [
    "a call that stores",
    "single_open(file, show, NULL); return outside(n);",
    /new code of show is passed to single_open/,
  ],
  ["a store", "file->show = show; return outside(n);", /f: the new code of show is stored/],
  ["a string stored", 'file->name = "new"; return outside(n);', /the string "new" is stored/],
  ["a string passed", 'return take("new");', /the string "new" is passed to take/],
  ["a conditional", "file->show = n ? show : NULL; return outside(n);", /show is stored/],
  [
    "a call through a pointer",
    'return ((int (*)(const char *))global)("new");',
    /is passed to a function that a pointer leads to/,
  ],
  [
    "a structure on the stack",
    'struct file it = { .name = "new" }; return look(&it);',
    /the string "new" is passed to look/,
  ],
  [
    "a structure on the stack that is known already",
    'struct file it; look(&it); *(const char *volatile *)&it.name = "new"; return outside(n);',
    /the string "new" is stored/,
  ],
  [
    "a variable of its own",
    "static struct file own; own.show = show; return register_it(&own);",
    /own is passed to register_it/,
  ],
  [
    "what its own variable holds",
    "static int (*volatile own)(void *); own = show; file->show = own; return outside(n);",
    /own is stored/,
  ],
  ["what its own table holds", "file->name = names[n & 3]; return outside(n);", /names is stored/],
  [
    "a copy of its own table",
    "memcpy(file->private, names, sizeof names); return outside(n);",
    /names is passed to memcpy/,
  ],
  [
    "a large copy of its own table",
    "*(struct big *)file->private = big; return outside(n);",
    /the string "one" is stored/,
  ],
  [
    "a helper of its own",
    "keep(file, show); return outside(n);",
    /keep.*show is stored|show is passed to keep, where it is stored/,
  ],
  ["a helper that runs already", "kept(file, show); return outside(n);", /show is passed to kept, where it is stored/],
  ["what a helper returns", "file->show = chosen(n); return outside(n);", /show is stored/],
  [
    "many arguments",
    'return ((int (*)(int, int, int, int, int, int, int, const char *))other)(1, 2, 3, 4, 5, 6, 7, "new");',
    /the string "new" is passed to other/,
  ],
  [
    "a call through its own pointer",
    'static int (*volatile own)(const char *) = keeps; own = outside(2) ? keeps : NULL; return own("given");',
    /the string "given" is/,
  ],
  [
    "a copy of what is on the stack",
    'struct big it = { { "first", "second" } }; it.names[9] = "ninth"; if (outside(4)) it.names[7] = NULL; *(struct big *)file->private = it; return outside(n);',
    /the string "ninth" is stored/,
  ],
  ["a label", "again: global = &&again; return outside(n) ? 1 : 2;", /the new code of f is stored/],
])("one by %s", (_, after, what) => {
  const more = `${NEW}
    static const char *const names[] = { "one", "two", "three", "four" };
    struct big { const char *names[64]; };
    static const struct big big = { { "one", "two" } };
    noinline static void keep(struct file *file, int (*it)(void *)) { if (outside(7)) file->show = it; }
    noinline void kept(struct file *file, int (*it)(void *)) { if (outside(1)) file->show = it; }
    noinline static int keeps(const char *text) { global = (void *)text; return 0; }
    noinline static int (*chosen(int n))(void *) { return outside(n) ? show : NULL; }
  `;
  const found = stays("return outside(n);", after, more);
  expect(found.length).toBeGreaterThan(0);
  expect(found.join("\n")).toMatch(what);
});

/** As programs are compiled: position-independent, with vector registers and tables of jumps. */
const PROGRAM = ["-mcmodel=small", "-fPIE", "-mno-record-mcount", "-msse2", "-fjump-tables"];
const AVX = [...PROGRAM, "-mavx512f", "-mavx512vl", "-O3"];
const SHARED = [...PROGRAM, "-fPIC", "-fno-plt"];

function programStays(after: string, more: string, gcc: readonly string[]): string[] {
  const source = (body: string) => `${DECLARATIONS}${more}\nint f(struct file *file, int n) { ${body} }\n`;
  const flags = { gcc, needsHook: false };
  const { diff } = compared(source("return outside(n);"), source(after), flags);
  expect(diff.refusals).toEqual([]);
  const records = staysOf([{ selection: diff.selection, isThere: () => true }], programContracts());
  return records.map((each) => `${each.function}: ${each.what} ${each.how}`);
}

const SHAPES = `${NEW}
  struct four { const char *a, *b; int (*c)(void *), (*d)(void *); };
  extern int printf(const char *, ...), puts(const char *), strcmp(const char *, const char *);
  extern int extract(const char *), setjmp(void *);
  extern void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
  noinline static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
  extern struct four *fours; extern const char *words[64]; extern int count;
`;

describe.each([
  ["a program", PROGRAM],
  ["a program with AVX-512", AVX],
  ["a library", SHARED],
])("%s", (_, gcc) => {
  test.each([
    ["two pointers stored by one vector", 'fours->a = "first"; fours->b = "second"; return outside(n);', /"first"/],
    [
      "a structure stored by vectors",
      'struct four it = { "a", "b", show, show }; *fours = it; return outside(n);',
      /show/,
    ],
    [
      "many of them",
      'for (int i = 0; i < n; i++) fours[i] = (struct four){ "x", "y", show, show }; return outside(n);',
      /show/,
    ],
    ["a loop that fills", 'for (int i = 0; i < 64; i++) words[i] = "filled"; return outside(n);', /"filled"/],
    [
      "a table copied by a loop",
      'static const char *const t[] = { "p", "q", "r", "s", "t", "u", "v", "w" }; for (int i = 0; i < 8; i++) words[i + n] = t[i]; return outside(n);',
      /stored/,
    ],
    [
      "a choice of a switch",
      'const char *s; switch (n) { case 0: s = "zero"; break; case 1: s = "one"; break; case 2: s = "two"; break; case 3: s = "three"; break; case 5: s = "five"; break; default: s = "more"; } file->name = s; return outside(n);',
      /stored/,
    ],
    ["an atomic exchange", "__atomic_exchange_n(&file->show, show, 5); return outside(n);", /show/],
    [
      "an atomic compare and exchange",
      "int (*old)(void *) = NULL; __atomic_compare_exchange_n(&file->show, &old, show, 0, 5, 5); return outside(n);",
      /show/,
    ],
    ["arithmetic on a pointer", 'file->name = "abcdef" + (n & 3); return outside(n);', /stored/],
    [
      "a pointer in an integer",
      "count = (int)(size_t)show; file->private = (void *)(((size_t)show & ~3ul) | 1); return outside(n);",
      /show is stored/,
    ],
    ["a result", 'extern const char *g(int); return extract(n ? "yes" : "no");', /is passed to extract/],
    ["a variable-length array", 'const char *it[n]; it[0] = "vla"; return look((struct file *)it);', /"vla"/],
    [
      "an array on the stack",
      'const char *it[5] = { "one", "two", "three" }; return look((struct file *)(it + (n & 1)));',
      // gcc 14 loads the first one from a constant that holds its address.
      /"one"|a part of \.data\.rel\.ro\.local/,
    ],
    [
      "a vector that is loaded, and one half of it replaced",
      'const char *volatile it = "loaded", *to; asm("vmovq %1, %%xmm5; vpinsrq $1, %2, %%xmm5, %%xmm5; vmovq %%xmm5, %0" : "=r"(to) : "m"(it), "r"(0L) : "xmm5"); return look((struct file *)to);',
      /"loaded"/,
    ],
    [
      "a mask register",
      'const char *to; asm("kmovq %1, %%k1; kmovq %%k1, %0" : "=&r"(to) : "r"("masked")); return look((struct file *)to);',
      /"masked"/,
    ],
    [
      "a displacement that counts vectors",
      'const char *it[16]; asm("vpbroadcastq %1, %%zmm5; vmovdqu64 %%zmm5, 64(%0)" : : "r"(it), "r"("far") : "memory", "xmm5"); words[0] = it[9]; return n;',
      /"far" is stored/,
    ],
    [
      "a store of which bytes are chosen",
      'asm("movq %0, %%xmm5; pcmpeqd %%xmm6, %%xmm6; maskmovdqu %%xmm6, %%xmm5" : : "r"("chosen"), "D"(words) : "memory", "xmm5", "xmm6"); return n;',
      /"chosen" is stored/,
    ],
    [
      "a store past the caches",
      'asm("movdiri %0, (%1)" : : "r"("direct"), "r"(words) : "memory"); return n;',
      /"direct" is stored/,
    ],
    [
      "a copy of 64 bytes",
      'static const char *const line[8] = { "copied" }; asm("movdir64b (%0), %1" : : "r"(line), "r"(words) : "memory"); return n;',
      /line is stored/,
    ],
    [
      "an instruction of three registers",
      'const char *to; asm("blsr %1, %0" : "=&r"(to) : "r"("bits")); return look((struct file *)to);',
      /"bits"/,
    ],
    [
      "a pointer of a pointer",
      'const char *s = "inner"; const char **p = &s; return look((struct file *)&p);',
      /"inner"/,
    ],
  ])("one by %s", (__, after, what) => {
    const found = programStays(after, SHAPES, gcc);
    expect(found.join("\n")).toMatch(what);
  });

  test.each([
    [
      "a switch",
      'switch (n) { case 0: puts("zero"); break; case 1: printf("%d", n); break; case 2: outside(3); break; case 3: outside(8); break; case 5: return 4; default: puts("more"); } return outside(n);',
    ],
    ["sorting", "qsort(numbers, 16, 4, order); return outside(n);"],
    [
      "comparisons in a loop",
      'static const char *const t[] = { "p", "q", "r" }; for (int i = 0; i < 3; i++) if (strcmp(file->name, t[i]) == 0) return i; return outside(n);',
    ],
    [
      "a table of numbers",
      "static const int t[] = { 4, 7, 1, 9, 3 }; int sum = 0; for (int i = 0; i < 5; i++) sum += t[i] * n; return outside(sum);",
    ],
  ])("none by %s", (__, after) => {
    expect(programStays(after, SHAPES, gcc)).toEqual([]);
  });
});
