import { compareLayouts } from "../../src/btf/compare.ts";
import { comparePrototypes, compareVariables } from "../../src/btf/compare-declarations.ts";
import { describeType } from "../../src/btf/describe.ts";
import { layoutOf } from "../../src/btf/layout.ts";
import { readBtf } from "../../src/btf/read.ts";
import type { TypeId } from "../../src/btf/types.ts";
import { SutureError } from "../../src/lib/error.ts";
import { compileBtfSection } from "../../test/fixtures/compile-btf.ts";
import type { FuzzParser } from "./parser.ts";

const SMALL = "struct node { struct node *next; int value : 5; unsigned char rest[3]; } first;";

const LARGE = `
enum colour { RED, GREEN = 7, BLUE = -1 };
typedef unsigned long word;
struct inner { word a; const volatile char *text; };
union either { int i; float f; struct { short low, high; }; };
struct outer { struct inner inner; union either either[4]; enum colour colour; struct outer *next; word flexible[]; };
static int counter __attribute__((section(".data.counters"), used));
int use(struct outer *outer, enum colour colour, int (*call)(const struct inner *, ...)) { return call(&outer->inner); }
`;

/** Types as gcc describes them: each looked at, laid out, and compared with the undamaged ones. */
export const btf: FuzzParser = {
  name: "btf",
  share: 3,
  seeds: () => [SMALL, LARGE].map((source) => ({ data: compileBtfSection(source), hot: [[0, 24]] })),
  run(data) {
    const types = readBtf(data, "input");
    const original = undamaged();
    let refused: unknown;
    const attempt = (step: () => unknown): void => {
      try {
        step();
      } catch (error) {
        if (!(error instanceof SutureError)) throw error;
        refused = error;
      }
    };
    const budget = { members: 1 << 14 };
    for (let id = 0; id < types.count; id++) {
      attempt(() => layoutOf(types, id as TypeId, budget));
      attempt(() => describeType(types, id as TypeId));
    }
    attempt(() => types.findByName("outer"));
    attempt(() => compareLayouts(original, types));
    attempt(() => compareLayouts(types, original));
    attempt(() => comparePrototypes(original, types));
    attempt(() => compareVariables(types, original));
    if (refused !== undefined) throw refused;
  },
};

let once: ReturnType<typeof readBtf> | undefined;

function undamaged(): ReturnType<typeof readBtf> {
  once ??= readBtf(compileBtfSection(LARGE), "undamaged");
  return once;
}
