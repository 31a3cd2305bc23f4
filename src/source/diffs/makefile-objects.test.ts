import { expect, test } from "vitest";
import { objectChange } from "./makefile-objects.ts";

const MAKEFILE = `# A directory.
obj-y += one.o two.o
proc-y := three.o \\
	four.o
ifdef CONFIG_MORE
proc-y += five.o
endif
CFLAGS_one.o := -O1
obj-$(CONFIG_SIX) += six.o
`;

test.each([
  ["a line of its own", "proc-y += new.o\n", "", "proc-y", "new.o"],
  ["a list that goes on", "	four.o new.o\n", "	four.o\n", "proc-y", "new.o"],
  [
    "an option's list",
    "obj-$(CONFIG_SIX) += six.o\nobj-$(CONFIG_SIX) += new.o\n",
    "obj-$(CONFIG_SIX) += six.o\n",
    "obj-$(CONFIG_SIX)",
    "new.o",
  ],
])("an object that comes is known: %s", (_, now, before, list, object) => {
  const patched = before === "" ? `${MAKEFILE}${now}` : MAKEFILE.replace(before, now);
  expect(objectChange(MAKEFILE, patched)).toEqual({ added: [{ list, object }], removed: [] });
  expect(objectChange(patched, MAKEFILE)).toEqual({ added: [], removed: [{ list, object }] });
});

test("comments and the order of a list are no change", () => {
  const patched = MAKEFILE.replace("# A directory.", "# The directory.").replace("one.o two.o", "two.o one.o");
  expect(objectChange(MAKEFILE, patched)).toEqual({ added: [], removed: [] });
});

test.each([
  ["an option of the compiler", MAKEFILE.replace("-O1", "-O2")],
  ["an object in a condition", MAKEFILE.replace("five.o", "five.o new.o")],
  ["a condition around others", MAKEFILE.replace("obj-y", "ifdef CONFIG_X\nobj-y").concat("endif\n")],
  ["a directory", `${MAKEFILE}obj-y += sub/\n`],
  ["a list of something else", `${MAKEFILE}always-y += new.o\nextra := x\n`],
  ["a rule", `${MAKEFILE}new.o: new.h\n`],
])("all else is more than that: %s", (_, patched) => {
  expect(objectChange(MAKEFILE, patched)).toBeUndefined();
});
