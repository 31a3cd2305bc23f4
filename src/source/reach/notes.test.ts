import { expect, test } from "vitest";
import { reachNotes } from "./notes.ts";

test("each file by which units get other declarations alone is told with all its units", () => {
  const notes = reachNotes([
    { kind: "reached", reads: ["a.h", "b.h"] },
    { kind: "inert", reads: ["a.h"] },
    { kind: "same", reads: ["a.h", "b.h"] },
    { kind: "same", reads: [] },
  ]);
  expect(notes).toEqual([
    {
      code: "NOT_REACHED",
      text:
        "beside the files of the diff, 3 translation units include a.h; 1 may use what is changed in it, and was " +
        "compiled; the code of 2 cannot be changed by it",
    },
  ]);
});

test("where every unit that gets other tokens was compiled, there is nothing to tell", () => {
  expect(reachNotes([{ kind: "reached", reads: ["a.h"] }])).toEqual([]);
});
