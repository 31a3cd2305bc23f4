/** Changes to where functions and variables are, what they are called, and how they are declared. */
import { closing, edited, guarded, type Mutation, OFF, someFunction, uses } from "./mutation.ts";
import type { FoundFunction, FoundVariable, Scan } from "./scan.ts";

const isOwn = ({ isStatic, isMacro }: FoundFunction): boolean => isStatic && !isMacro;
const isOrdinary = (found: FoundFunction): boolean => isOwn(found) && !/\binline\b/.test(found.head);

function renamed(kind: string, of: (file: Scan) => readonly { readonly name: string }[]): Mutation {
  return {
    kind,
    runs: true,
    apply(file, random) {
      const found = random.of(of(file));
      if (found === undefined) return undefined;
      const edits = uses(file, found.name).map((range) => ({ ...range, text: `${found.name}_mutant` }));
      return { text: edited(file.text, edits), what: found.name };
    },
  };
}

const movedFunction: Mutation = {
  kind: "function moved in its file",
  runs: true,
  apply(file, random) {
    const target = someFunction(file, random, isOrdinary);
    if (target === undefined) return undefined;
    const whole = file.text.slice(target.from, target.to);
    const edits = [
      { from: target.from, to: target.to, text: `${target.head.trim()};\n` },
      { from: file.text.length, to: file.text.length, text: `\n${whole}\n` },
    ];
    return { text: edited(file.text, edits), what: target.name };
  },
};

/** With a new statement, since what only moves in its file has the same code. */
const movedAndChanged: Mutation = {
  kind: "function moved in its file, and changed",
  runs: true,
  apply(file, random) {
    const target = someFunction(file, random, isOrdinary);
    if (target === undefined) return undefined;
    const whole = `${file.text.slice(target.from, target.body.from)}\n\tbarrier();\n\tif (${OFF})\n\t\tpr_info("mutant\\n");${file.text.slice(target.body.from, target.to)}`;
    const edits = [
      { from: target.from, to: target.to, text: `${target.head.trim()};\n` },
      { from: file.text.length, to: file.text.length, text: `\n${whole}\n` },
    ];
    return { text: guarded(file, edits), what: target.name };
  },
};

/** Of what is at file level: names that a file has for itself. */
function ownNames({ code, text, functions, variables, structs }: Scan): Set<string> {
  const defined = [...text.matchAll(/^[ \t]*#[ \t]*define[ \t]+(\w+)/gm)].map(([, name]) => name as string);
  const types = [...code.matchAll(/\b(?:struct|union|enum)\s+(\w+)\s*\{/g)].map(([, name]) => name as string);
  const members = [...code.matchAll(/\benum\b[^{;]*\{([^}]*)\}/g)].flatMap(
    ([, list]) => (list as string).match(/\b\w+\b/g) ?? [],
  );
  const others = [...code.matchAll(/^(?:static\s|DEFINE_\w+\()[^;={(]*?\(?\b(\w+)\s*[;=[,)]/gm)].map(
    ([, name]) => name as string,
  );
  return new Set([
    ...[...functions, ...variables, ...structs].map(({ name }) => name),
    ...defined,
    ...types,
    ...members,
    ...others,
  ]);
}

function includesOf({ text }: Scan): string {
  return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*<linux\/[^>\n]*>[^\n]*\n/gm)].map(([line]) => line).join("");
}

/** A function that others call by its name, and that needs nothing of its file. It is changed as well where `isChanged`. */
function movedAway(kind: string, isChanged: boolean): Mutation {
  return {
    kind,
    runs: true,
    apply(file, random, other) {
      if (other === undefined) return undefined;
      const own = ownNames(file);
      const target = random.of(
        file.functions.filter(({ isStatic, isMacro, head, name, from, to }) => {
          if (isStatic || isMacro || /\b(__init|__exit|inline|__weak)\b/.test(head)) return false;
          const words = file.code.slice(from, to).match(/\b[A-Za-z_]\w*\b/g) ?? [];
          return words.every((word) => word === name || !own.has(word));
        }),
      );
      if (target === undefined) return undefined;
      const head = file.text.slice(target.from, target.body.from);
      const rest = file.text.slice(target.body.from, target.to);
      const statement = isChanged ? `\n\tbarrier();\n\tif (${OFF})\n\t\tprintk("mutant\\n");` : "";
      const end = other.text.length;
      const moved = `\n${includesOf(file)}\n${head.trim().replace(/\s*\{$/, "")};\n${head}${statement}${rest}\n`;
      const appended = { from: end, to: end, text: moved };
      return {
        text: edited(file.text, [{ from: target.from, to: target.to, text: `${head.trim().replace(/\s*\{$/, "")};` }]),
        other: isChanged ? guarded(other, [appended]) : edited(other.text, [appended]),
        what: target.name,
      };
    },
  };
}

const isPlainVariable = ({ isStatic, isConst }: FoundVariable): boolean => isStatic && !isConst;

/** Its first declaration stays, as one without contents. */
const movedVariable: Mutation = {
  kind: "variable moved in its file",
  runs: true,
  apply(file, random) {
    const target = random.of(file.variables.filter(isPlainVariable));
    if (target === undefined) return undefined;
    const whole = file.text.slice(target.from, target.to);
    const declared =
      target.value === undefined ? whole : `${file.text.slice(target.from, target.value.from - 1).trim()};`;
    const edits = [
      { from: target.from, to: target.to, text: declared },
      { from: file.text.length, to: file.text.length, text: `\n${whole}\n` },
    ];
    return { text: edited(file.text, edits), what: target.name };
  },
};

/** Into the one function that uses it. */
const variableIntoFunction: Mutation = {
  kind: "variable moved into its function",
  runs: true,
  apply(file, random) {
    const found = file.variables.filter(isPlainVariable).flatMap((variable) => {
      const all = uses(file, variable.name).filter(({ from }) => from < variable.from || from >= variable.to);
      const users = file.functions.filter(({ body }) => all.some(({ from }) => from >= body.from && from < body.to));
      const [user] = users;
      const isInside = user !== undefined && all.every(({ from }) => from >= user.body.from && from < user.body.to);
      return users.length === 1 && user !== undefined && isInside ? [{ variable, user }] : [];
    });
    const target = random.of(found);
    if (target === undefined) return undefined;
    const { variable, user } = target;
    const edits = [
      { from: variable.from, to: variable.to, text: "" },
      { from: user.body.from, to: user.body.from, text: `\n\t${file.text.slice(variable.from, variable.to)}` },
    ];
    return { text: edited(file.text, edits), what: `${variable.name} into ${user.name}` };
  },
};

const LOCAL =
  /^\s+(static\s+(?:const\s+)?(?:struct\s+\w+|unsigned\s+\w+|\w+)\s+\**(\w+)(?:\s*\[\w*\])*\s*(?:=\s*[^;{]*)?;)/gm;

/** What a function keeps between its calls. */
function staticLocal(
  kind: string,
  change: (declared: string, name: string) => { inside: string; outside: string },
): Mutation {
  return {
    kind,
    runs: true,
    apply(file, random) {
      const found = file.functions.flatMap((user) =>
        [...file.code.slice(user.body.from, user.body.to).matchAll(LOCAL)].map((match) => {
          const from = user.body.from + match.index + match[0].indexOf(match[1] as string);
          return { user, from, to: from + (match[1] as string).length, name: match[2] as string };
        }),
      );
      const target = random.of(found);
      if (target === undefined) return undefined;
      const { user, from, to, name } = target;
      const { inside, outside } = change(file.text.slice(from, to), name);
      const renames = uses(file, name)
        .filter(
          (each) => each.from >= user.body.from && each.from < user.body.to && (each.from < from || each.from >= to),
        )
        .map((range) => ({ ...range, text: `${name}_mutant` }));
      const edits = [
        { from, to, text: inside.replace(new RegExp(`\\b${name}\\b`), `${name}_mutant`) },
        { from: user.from, to: user.from, text: outside.replace(new RegExp(`\\b${name}\\b`), `${name}_mutant`) },
      ];
      return { text: edited(file.text, [...edits, ...renames]), what: `${name} of ${user.name}` };
    },
  };
}

const parameter: Mutation = {
  kind: "parameter added",
  runs: true,
  apply(file, random) {
    const target = someFunction(file, random, (found) => {
      const all = uses(file, found.name);
      return isOwn(found) && all.length > 1 && all.every(({ to }) => /^\s*\(/.test(file.code.slice(to, to + 4)));
    });
    if (target === undefined) return undefined;
    const edits = uses(file, target.name).flatMap(({ from, to }) => {
      const end = closing(file.code, file.code.indexOf("(", to));
      if (end === undefined) return [];
      const inside = file.code.slice(file.code.indexOf("(", to) + 1, end).trim();
      const isHead = from >= target.from && from < target.body.from;
      const isDeclaration =
        isHead || /^\s*;/.test(file.code.slice(end + 1)) === false ? isHead : isPrototype(file, from);
      // Used, so that the compiler does not take it out again.
      const more = isDeclaration ? "int mutant" : OFF;
      if (inside === "void") return [{ from: file.code.indexOf("(", to) + 1, to: end, text: more }];
      return [{ from: end, to: end, text: inside === "" ? more : `, ${more}` }];
    });
    const { from } = target.body;
    const use = { from, to: from, text: `\n\tif (unlikely(mutant))\n\t\tpr_info("mutant %d\\n", mutant);` };
    return { text: guarded(file, [...edits, use]), what: target.name };
  },
};

/** A declaration at file level. */
function isPrototype(file: Scan, at: number): boolean {
  return !file.functions.some(({ from, to }) => at >= from && at < to);
}

function attribute(all: readonly string[]): Mutation {
  return {
    kind: "attribute of a function",
    runs: true,
    apply(file, random) {
      const fits = ({ head, isMacro }: FoundFunction) =>
        !isMacro && !/\b(inline|noinline|__always_inline|__init|__exit)\b/.test(head);
      const target = someFunction(file, random, fits);
      if (target === undefined) return undefined;
      const words = random.of(all) as string;
      const at = target.isStatic ? file.code.indexOf("static", target.from) + 6 : target.from;
      return { text: edited(file.text, [{ from: at, to: at, text: ` ${words} ` }]), what: `${words} ${target.name}` };
    },
  };
}

function dataAttribute(words: string): Mutation {
  return {
    kind: "attribute of a variable",
    runs: true,
    apply(file, random) {
      const target = random.of(
        file.variables.filter(
          ({ isStatic, isConst, from, to }) => isStatic && !isConst && !/\b__\w/.test(file.code.slice(from, to)),
        ),
      );
      if (target === undefined) return undefined;
      const at = target.value === undefined ? target.to - 1 : target.value.from - 1;
      return { text: edited(file.text, [{ from: at, to: at, text: ` ${words} ` }]), what: `${words} ${target.name}` };
    },
  };
}

/** What only its file could call, any file can. */
const shown: Mutation = {
  kind: "static taken away",
  runs: true,
  apply(file, random) {
    const target = random.of([...file.functions.filter(isOrdinary), ...file.variables.filter(isPlainVariable)]);
    if (target === undefined) return undefined;
    const statics = [...file.code.matchAll(new RegExp(`\\bstatic\\b(?=[^;{}=()]*\\b${target.name}\\b)`, "g"))];
    const edits = statics.map(({ index }) => ({ from: index, to: index + "static".length, text: "" }));
    return { text: edited(file.text, edits), what: target.name };
  },
};

export const NAMING_MUTATIONS: readonly Mutation[] = [
  attribute(["noinline", "__attribute__((aligned(64)))", "__weak"]),
  attribute(["__cold", "notrace", "__sched", "__always_inline"]),
  attribute(["__cold", "notrace", "__sched", "__always_inline"]),
  dataAttribute("__read_mostly"),
  dataAttribute("__aligned(64)"),
  dataAttribute("__ro_after_init"),
  shown,
  shown,
  renamed("function renamed", (file) => file.functions.filter(isOwn)),
  renamed("variable renamed", (file) => file.variables.filter(({ isStatic }) => isStatic)),
  renamed("variable renamed", (file) => file.variables.filter(({ isStatic }) => isStatic)),
  movedFunction,
  movedAndChanged,
  movedAndChanged,
  movedAway("function moved to another file", false),
  movedAway("function moved to another file, and changed", true),
  movedAway("function moved to another file, and changed", true),
  movedVariable,
  variableIntoFunction,
  variableIntoFunction,
  staticLocal("static local renamed", (declared) => ({ inside: declared, outside: "" })),
  staticLocal("static local moved out", (declared) => ({ inside: "", outside: `${declared}\n` })),
  staticLocal("static local moved out", (declared) => ({ inside: "", outside: `${declared}\n` })),
  parameter,
  parameter,
];
