/** Changes to what functions do. */
import {
  closing,
  type Edit,
  edited,
  guarded,
  type Mutation,
  matchesIn,
  NUMBER,
  OFF,
  someFunction,
  statementEnds,
  textOf,
} from "./mutation.ts";

const constant: Mutation = {
  kind: "constant",
  runs: true,
  apply(file, random) {
    const target = someFunction(file, random);
    const number = target && random.of(matchesIn(file, target.body, NUMBER));
    if (target === undefined || number === undefined) return undefined;
    const was = textOf(file, number);
    return {
      text: guarded(file, [{ ...number, text: `(${OFF} ? ${was} + 3 : ${was})` }]),
      what: `${was} of ${target.name}`,
    };
  },
};

const condition: Mutation = {
  kind: "condition",
  runs: true,
  apply(file, random) {
    const target = someFunction(file, random);
    const start = target && random.of(matchesIn(file, target.body, /\b(if|while)\s*\(/g));
    const end = start && closing(file.code, start.to - 1);
    if (target === undefined || start === undefined || end === undefined) return undefined;
    const edits = [
      { from: start.to, to: start.to, text: `!${OFF} && (` },
      { from: end, to: end, text: ")" },
    ];
    return { text: guarded(file, edits), what: target.name };
  },
};

const CALL = /(?<=[;{}]\s*)\b[a-z_]\w*\([^;{}]*\);/g;

function call(kind: string, runs: boolean, change: (text: string) => string): Mutation {
  return {
    kind,
    runs,
    apply(file, random) {
      const target = someFunction(file, random);
      const found = target && random.of(matchesIn(file, target.body, CALL));
      if (target === undefined || found === undefined) return undefined;
      const text = textOf(file, found);
      if (/^(if|for|while|switch|return|sizeof)\b/.test(text)) return undefined;
      return {
        text: guarded(file, [{ ...found, text: change(text) }]),
        what: `${text.slice(0, 40).replace(/\s+/g, " ")} in ${target.name}`,
      };
    },
  };
}

/** Both are called in both ways, each behind a pointer that the compiler cannot see through. */
const throughPointer: Mutation = {
  kind: "call through a pointer",
  runs: true,
  apply(file, random) {
    const target = someFunction(file, random);
    const callees = file.functions.filter(
      ({ isStatic, isMacro, name }) => isStatic && !isMacro && name !== target?.name,
    );
    const names = new Set(callees.map(({ name }) => name));
    const calls = target && matchesIn(file, target.body, /\b[a-z_]\w*(?=\()/g);
    const found = calls && random.of(calls.filter((each) => names.has(textOf(file, each))));
    if (target === undefined || found === undefined) return undefined;
    const name = textOf(file, found);
    const text = `({ typeof(&${name}) mutant = ${name}; OPTIMIZER_HIDE_VAR(mutant); mutant; })`;
    return { text: edited(file.text, [{ ...found, text }]), what: `${name} in ${target.name}` };
  },
};

/** What the compiler inlines, splits and clones another way. */
function body(kind: string, edits: (start: number, end: number) => readonly Edit[]): Mutation {
  return {
    kind,
    runs: true,
    apply(file, random) {
      const target = someFunction(file, random, ({ head }) =>
        /\bvoid\s+\w+\s*\($/.test(head.slice(0, head.indexOf("(") + 1)),
      );
      const ends = target && statementEnds(file, target);
      if (target === undefined || ends === undefined || ends.length === 0) return undefined;
      return { text: guarded(file, edits(random.of(ends) as number, target.body.to)), what: target.name };
    },
  };
}

export const CODE_MUTATIONS: readonly Mutation[] = [
  constant,
  constant,
  constant,
  condition,
  condition,
  condition,
  call("call repeated", true, (text) => `${text}\n\tif (${OFF}) {\n\t\t${text}\n\t}`),
  call("call that a condition guards", true, (text) => `if (!${OFF}) {\n\t\t${text}\n\t}`),
  call("call removed", false, () => ";"),
  throughPointer,
  body("early return", (at) => [{ from: at, to: at, text: `\n\tif (${OFF})\n\t\treturn;` }]),
  body("loop", (at) => [
    { from: at, to: at, text: `\n\t{ int mutant; for (mutant = 0; mutant < ${OFF}; mutant++) cpu_relax(); }` },
  ]),
];
