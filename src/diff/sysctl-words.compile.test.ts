/** Pointers of tables of sysctls: which may be written, and which entries they are part of. */
import { describe, expect, test } from "vitest";
import { compared } from "./compiled.fixture.ts";

const SOURCE = `
  typedef int handler(void *, int);
  extern handler proc_dointvec, proc_dointvec_minmax, own_handler;
  extern void *register_sysctl(const char *, void *);
  extern const int zero, two;
  struct ctl_table { const char *procname; void *data; int maxlen; unsigned short mode; handler *proc_handler; void *extra1, *extra2; };
  int value, second;
  static struct ctl_table table[] = {
    { .procname = "first", .data = &second, .maxlen = 4, .mode = 0644, .proc_handler = own_handler },
    { .procname = "value", .data = &value, .maxlen = 4, .mode = 0644, .proc_handler = proc_dointvec },
    { }
  };
  __init int start(void) { return register_sysctl("kernel", table) != 0; }
  int use(int a) { return a * value + second; }
`;
const BOUNDED = ".proc_handler = proc_dointvec_minmax, .extra1 = (void *)&zero, .extra2 = (void *)&two }";
const members = new Map([
  [0, "procname"],
  [8, "data"],
  [16, "maxlen"],
  [20, "mode"],
  [24, "proc_handler"],
  [32, "extra1"],
  [40, "extra2"],
]);

function outcome(patched: string, source = SOURCE) {
  const { selection, refusals } = compared(source, patched, {
    canSwitch: true,
    structOf: (name) => (name.startsWith("table") ? "ctl_table[]" : undefined),
    layoutOf: () => ({ size: 48, members }),
  }).diff;
  if (refusals.length > 0) return refusals.map(({ code }) => code);
  return selection.words.map(
    ({ offset, entry }) => `${members.get(offset - (entry?.offset ?? 0))} of ${entry?.offset}`,
  );
}

describe("a table of sysctls that init code registers", () => {
  test("gets other handlers and bounds, entry by entry", () => {
    expect(outcome(SOURCE.replace(".proc_handler = proc_dointvec }", BOUNDED))).toEqual([
      "proc_handler of 48",
      "extra1 of 48",
      "extra2 of 48",
    ]);
  });

  test("gets a new function of the livepatch for a handler", () => {
    const handler = "static int fixed(void *table, int write) { return write + 1; }";
    const patched = SOURCE.replace("int value, second;", `int value, second; ${handler}`);
    expect(outcome(patched.replace("= proc_dointvec }", "= fixed }"))).toEqual(["proc_handler of 48"]);
  });

  test("is registered within another table", () => {
    const nested = SOURCE.replace(
      "__init int start",
      `static struct ctl_table table_base[] = { { .procname = "kernel", .data = table }, { } }; __init int start`,
    ).replace('"kernel", table)', '"", table_base)');
    expect(outcome(nested.replace(".proc_handler = proc_dointvec }", BOUNDED), nested)).toHaveLength(3);
  });
});

describe("a table of sysctls stays as it is, and the diff is refused, where", () => {
  const refused = ["DATA_CHANGED"];

  test("anything else of an entry changes", () => {
    for (const [from, to] of [
      ["&value, .maxlen", "&second, .maxlen"],
      ['"value"', '"values"'],
      [
        ".maxlen = 4, .mode = 0644, .proc_handler = proc_dointvec ",
        ".maxlen = 4, .mode = 0600, .proc_handler = proc_dointvec ",
      ],
      [
        ".maxlen = 4, .mode = 0644, .proc_handler = proc_dointvec ",
        ".maxlen = 8, .mode = 0644, .proc_handler = proc_dointvec ",
      ],
      ["{ }\n  };", '{ .procname = "more", .proc_handler = proc_dointvec },\n { }\n  };'],
    ] as const)
      expect(outcome(SOURCE.replace(from, to))).toEqual(refused);
  });

  test("a handler that is not known to take numbers could meet other bounds", () => {
    expect(outcome(SOURCE.replace("own_handler }", "own_handler, .extra1 = (void *)&zero }"))).toEqual(refused);
    expect(outcome(SOURCE.replace("= proc_dointvec }", "= own_handler, .extra1 = (void *)&zero }"))).toEqual(refused);
  });

  test("a bound would lie in the livepatch", () => {
    const patched = SOURCE.replace("int value, second;", "int value, second; static const int limit = 7;");
    const bounded = "= proc_dointvec_minmax, .extra1 = (void *)&limit }";
    expect(outcome(patched.replace("= proc_dointvec }", bounded))).toEqual(refused);
  });

  test("code that lasts uses it, or init code could have made a table of its own of it", () => {
    const live = SOURCE.replace("return a * value", "return (int)(long)table + a * value");
    expect(outcome(live.replace(".proc_handler = proc_dointvec }", BOUNDED), live)).toEqual(refused);
    const copied = SOURCE.replace(
      'register_sysctl("kernel", table)',
      'register_sysctl("kernel", kmemdup(table, sizeof(table)))',
    ).replace("int value,", "extern void *kmemdup(const void *, unsigned long); int value,");
    expect(outcome(copied.replace(".proc_handler = proc_dointvec }", BOUNDED), copied)).toEqual(refused);
  });
});
