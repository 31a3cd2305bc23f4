/** Changes to data, types and macros. What a guest may not run is built and audited. */
import {
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
import type { Scan } from "./scan.ts";

const member: Mutation = {
  kind: "member added",
  runs: false,
  apply(file, random) {
    const target = random.of(file.structs);
    if (target === undefined) return undefined;
    const edit = { from: target.body.to, to: target.body.to, text: "\tint mutant;\n" };
    return { text: edited(file.text, [edit]), what: `struct ${target.name}` };
  },
};

/** Behind which nothing is where it was. */
const firstMember: Mutation = {
  kind: "member added",
  runs: false,
  apply(file, random) {
    const target = random.of(file.structs);
    if (target === undefined) return undefined;
    const edit = { from: target.body.from, to: target.body.from, text: "\n\tlong mutant;" };
    return { text: edited(file.text, [edit]), what: `struct ${target.name}, first` };
  },
};

const initialValue: Mutation = {
  kind: "initial value",
  runs: false,
  apply(file, random) {
    const target = random.of(file.variables.filter(({ value }) => value !== undefined));
    const number = target?.value && random.of(matchesIn(file, target.value, NUMBER));
    if (target === undefined || number === undefined) return undefined;
    return { text: edited(file.text, [{ ...number, text: `(${textOf(file, number)} + 1)` }]), what: target.name };
  },
};

/** A function that does the same in place of the one that is there. */
const tableEntry: Mutation = {
  kind: "table entry",
  runs: true,
  apply(file, random) {
    // Of a function that is defined twice, under conditions, it is not known which one is compiled.
    const once = file.functions.filter((one) => file.functions.every((each) => each === one || each.name !== one.name));
    const names = new Map(once.map((each) => [each.name, each] as const));
    const entries = file.variables.flatMap(({ name, from, value }) =>
      (value === undefined ? [] : matchesIn(file, value, /\b[a-z_]\w*\b/g))
        .filter((entry) => names.has(textOf(file, entry)))
        .map((entry) => ({ entry, name, from })),
    );
    const target = random.of(entries);
    const found = target && names.get(textOf(file, target.entry));
    if (target === undefined || found === undefined) return undefined;
    const copy = file.text.slice(found.from, found.to).replace(new RegExp(`\\b${found.name}\\b`, "g"), "suture_mutant");
    const edits = [
      { ...target.entry, text: "suture_mutant" },
      { from: target.from, to: target.from, text: `${copy}\n` },
    ];
    return { text: edited(file.text, edits), what: `${found.name} in ${target.name}` };
  },
};

/** The last entry once more. */
const tableGrows: Mutation = {
  kind: "table entry added",
  runs: false,
  apply(file, random) {
    const tables = file.variables.filter(
      ({ value }) => value !== undefined && /^\s*\{[\s\S]*\}\s*$/.test(file.code.slice(value.from, value.to)),
    );
    const target = random.of(
      tables.filter(({ from, value }) => value && /\[[^\]]*\]/.test(file.code.slice(from, value.from))),
    );
    if (target?.value === undefined) return undefined;
    const open = file.code.indexOf("{", target.value.from);
    const first = /^\{\s*(\{[^{}]*\}|[^{},]+),/.exec(file.text.slice(open, target.value.to));
    if (first === null) return undefined;
    return { text: edited(file.text, [{ from: open + 1, to: open + 1, text: ` ${first[1]},` }]), what: target.name };
  },
};

const text: Mutation = {
  kind: "string",
  runs: false,
  apply(file, random) {
    const strings = [...file.text.matchAll(/"([^"\\\n]{3,40})"/g)].filter(
      ({ index }) => index > file.afterIncludes && file.code[index] === " ",
    );
    const found = random.of(strings);
    if (found === undefined) return undefined;
    const at = found.index + 1;
    return { text: edited(file.text, [{ from: at, to: at, text: "mutant " }]), what: found[0] };
  },
};

const variableType: Mutation = {
  kind: "type of a variable",
  runs: false,
  apply(file, random) {
    const target = random.of(
      file.variables.filter(({ from, to }) =>
        /^(static\s+)?(unsigned\s+)?(int|bool|u8|u16|u32)\s/.test(file.code.slice(from, to)),
      ),
    );
    if (target === undefined) return undefined;
    const declared = file.text.slice(target.from, target.to);
    const changed = declared.replace(/\b(unsigned\s+)?(int|bool|u8|u16|u32)\b/, "long");
    return { text: edited(file.text, [{ from: target.from, to: target.to, text: changed }]), what: target.name };
  },
};

const macro: Mutation = {
  kind: "macro",
  runs: false,
  apply({ text: whole }, random) {
    const found = random.of([...whole.matchAll(/^(#[ \t]*define[ \t]+(\w+)[ \t]+)(0x[0-9a-fA-F]+|\d+)[ \t]*$/gm)]);
    if (found === undefined) return undefined;
    const from = found.index + (found[1] as string).length;
    const was = found[3] as string;
    return { text: edited(whole, [{ from, to: from + was.length, text: `(${was} + 1)` }]), what: found[2] as string };
  },
};

const started: Mutation = {
  kind: "init code",
  runs: true,
  apply(file, random) {
    const target = random.of(file.functions.filter(({ head }) => /\b__(init|exit)\b/.test(head)));
    const at = target && random.of(statementEnds(file, target));
    if (target === undefined || at === undefined) return undefined;
    const edit = { from: at, to: at, text: `\n\tif (${OFF})\n\t\tpr_info("mutant\\n");` };
    return { text: guarded(file, [edit]), what: target.name };
  },
};

/** Init code changes, and beside it code that runs. */
const startedAndMore: Mutation = {
  kind: "init code and other code",
  runs: true,
  apply(file, random) {
    const isInit = ({ head }: Scan["functions"][number]) => /\b__(init|exit)\b/.test(head);
    const init = random.of(file.functions.filter(isInit));
    const more = someFunction(file, random, (each) => !isInit(each));
    const places = [init, more].map((target) => target && random.of(statementEnds(file, target)));
    if (init === undefined || more === undefined || places.includes(undefined)) return undefined;
    const edits = (places as number[]).map((at) => ({
      from: at,
      to: at,
      text: `\n\tif (${OFF})\n\t\tpr_info("mutant\\n");`,
    }));
    return { text: guarded(file, edits), what: `${init.name}, ${more.name}` };
  },
};

export const DATA_MUTATIONS: readonly Mutation[] = [
  member,
  firstMember,
  initialValue,
  initialValue,
  initialValue,
  tableEntry,
  tableEntry,
  tableEntry,
  tableGrows,
  tableGrows,
  text,
  text,
  variableType,
  macro,
  started,
  started,
  startedAndMore,
  startedAndMore,
];
