/** Kinds of changes to a C file. What would do another thing is kept off by a variable that nobody sets. */
import type { Random } from "./random.ts";
import type { FoundFunction, Range, Scan } from "./scan.ts";

export interface Mutated {
  readonly text: string;
  /** What was changed. */
  readonly what: string;
}

export interface Mutation {
  readonly kind: string;
  /** Whether a guest may run it: what it does is what was done before. */
  readonly runs: boolean;
  /** Undefined where the file has no place for it. */
  readonly apply: (file: Scan, random: Random) => Mutated | undefined;
}

const OFF = "suture_mutant_off";
const DECLARATION = `static volatile int ${OFF};\n`;

interface Edit extends Range {
  readonly text: string;
}

function edited(text: string, edits: readonly Edit[]): string {
  return [...edits]
    .sort((a, b) => b.from - a.from)
    .reduce((all, { from, to, text: by }) => all.slice(0, from) + by + all.slice(to), text);
}

function guarded({ text, afterIncludes }: Scan, edits: readonly Edit[], more = ""): string {
  return edited(text, [...edits, { from: afterIncludes, to: afterIncludes, text: DECLARATION + more }]);
}

/** Places behind statements of a function's body, but for those that never come to their end. */
function statementEnds({ code }: Scan, { body }: FoundFunction): number[] {
  const ends: number[] = [];
  let parentheses = 0;
  let start = body.from;
  for (let at = body.from; at < body.to; at++) {
    const letter = code[at];
    if (letter === "(") parentheses++;
    else if (letter === ")") parentheses--;
    else if (letter === ";" && parentheses === 0) {
      const statement = code.slice(start, at);
      const isFollowed = /^\s*(else|while)\b/.test(code.slice(at + 1, at + 200));
      if (!isFollowed && !/\b(return|goto|break|continue)\b/.test(statement)) ends.push(at + 1);
      start = at + 1;
    } else if (letter === "{" || letter === "}") start = at + 1;
  }
  return ends;
}

/** A statement put into a random function, with what it needs at file level. */
function addition(kind: string, statement: string, declaration = "", runs = true): Mutation {
  return {
    kind,
    runs,
    apply(file, random) {
      const target = random.of(file.functions.filter(({ head }) => !/\b(__init|__exit|inline)\b/.test(head)));
      const at = target && random.of(statementEnds(file, target));
      if (target === undefined || at === undefined) return undefined;
      const edit = { from: at, to: at, text: `\n${statement}` };
      return { text: guarded(file, [edit], declaration), what: target.name };
    },
  };
}

function matchesIn({ code }: Scan, { from, to }: Range, pattern: RegExp): Range[] {
  return [...code.slice(from, to).matchAll(pattern)].map((match) => ({
    from: from + match.index,
    to: from + match.index + match[0].length,
  }));
}

const NUMBER = /(?<![\w.])(?:0x[0-9a-fA-F]+|\d+)[uUlL]*(?![\w.])/g;

const constant: Mutation = {
  kind: "constant",
  runs: true,
  apply(file, random) {
    const target = random.of(file.functions);
    const number = target && random.of(matchesIn(file, target.body, NUMBER));
    if (target === undefined || number === undefined) return undefined;
    const was = file.text.slice(number.from, number.to);
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
    const target = random.of(file.functions);
    const start = target && random.of(matchesIn(file, target.body, /\bif\s*\(/g));
    const end = start && closing(file.code, start.to - 1);
    if (target === undefined || start === undefined || end === undefined) return undefined;
    const edits = [
      { from: start.to, to: start.to, text: `!${OFF} && (` },
      { from: end, to: end, text: ")" },
    ];
    return { text: guarded(file, edits), what: target.name };
  },
};

const repeatedCall: Mutation = {
  kind: "call",
  runs: true,
  apply(file, random) {
    const target = random.of(file.functions);
    const call = target && random.of(matchesIn(file, target.body, /(?<=[;{}]\s*)\b[a-z_]\w*\([^;{}]*\);/g));
    if (target === undefined || call === undefined) return undefined;
    const text = file.text.slice(call.from, call.to);
    if (/^(if|for|while|switch|return|sizeof)\b/.test(text)) return undefined;
    const edit = { from: call.to, to: call.to, text: `\n\tif (${OFF}) {\n\t\t${text}\n\t}` };
    return { text: guarded(file, [edit]), what: `${text.slice(0, 40)} in ${target.name}` };
  },
};

/** Where the parenthesis that opens at `open` closes. */
function closing(code: string, open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === "(") depth++;
    else if (code[at] === ")" && --depth === 0) return at;
  }
  return undefined;
}

function uses({ code }: Scan, name: string): Range[] {
  return [...code.matchAll(new RegExp(`\\b${name}\\b`, "g"))].map(({ index }) => ({
    from: index,
    to: index + name.length,
  }));
}

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

const moved: Mutation = {
  kind: "function moved in its file",
  runs: true,
  apply(file, random) {
    const target = random.of(file.functions.filter(({ isStatic, head }) => isStatic && !/\binline\b/.test(head)));
    if (target === undefined) return undefined;
    const whole = file.text.slice(target.from, target.to);
    const edits = [
      { from: target.from, to: target.to, text: `${target.head.trim()};\n` },
      { from: file.text.length, to: file.text.length, text: `\n${whole}\n` },
    ];
    return { text: edited(file.text, edits), what: target.name };
  },
};

const parameter: Mutation = {
  kind: "parameter added",
  runs: true,
  apply(file, random) {
    const called = file.functions.filter(({ isStatic, name }) => {
      const all = uses(file, name);
      return isStatic && all.length > 1 && all.every(({ to }) => /^\s*\(/.test(file.code.slice(to, to + 4)));
    });
    const target = random.of(called);
    if (target === undefined) return undefined;
    const edits = uses(file, target.name).flatMap(({ from, to }) => {
      const end = closing(file.code, file.code.indexOf("(", to));
      if (end === undefined) return [];
      const inside = file.code.slice(file.code.indexOf("(", to) + 1, end).trim();
      const isHead = from >= target.from && from < target.body.from;
      const isDeclaration =
        isHead || /^\s*;/.test(file.code.slice(end + 1)) === false ? isHead : isPrototype(file, from);
      const more = isDeclaration ? "int mutant" : "0";
      if (inside === "void") return [{ from: file.code.indexOf("(", to) + 1, to: end, text: more }];
      return [{ from: end, to: end, text: inside === "" ? more : `, ${more}` }];
    });
    return { text: edited(file.text, edits), what: target.name };
  },
};

/** A declaration at file level. */
function isPrototype(file: Scan, at: number): boolean {
  return !file.functions.some(({ from, to }) => at >= from && at < to);
}

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

const initialValue: Mutation = {
  kind: "initial value",
  runs: false,
  apply(file, random) {
    const target = random.of(file.variables.filter(({ value }) => value !== undefined));
    const number = target?.value && random.of(matchesIn(file, target.value, NUMBER));
    if (target === undefined || number === undefined) return undefined;
    return {
      text: edited(file.text, [{ ...number, text: `(${file.text.slice(number.from, number.to)} + 1)` }]),
      what: target.name,
    };
  },
};

const tableEntry: Mutation = {
  kind: "table entry",
  runs: false,
  apply(file, random) {
    const target = random.of(file.variables.filter(({ value }) => value !== undefined));
    const names = new Map(file.functions.map((each) => [each.name, each] as const));
    const used = target?.value && matchesIn(file, target.value, /\b[a-z_]\w*\b/g);
    const entry = used && random.of(used.filter(({ from, to }) => names.has(file.text.slice(from, to))));
    const found = entry && names.get(file.text.slice(entry.from, entry.to));
    if (target === undefined || entry === undefined || found === undefined) return undefined;
    const copy = file.text.slice(found.from, found.to).replace(new RegExp(`\\b${found.name}\\b`, "g"), "suture_mutant");
    const edits = [
      { ...entry, text: "suture_mutant" },
      { from: target.from, to: target.from, text: `${copy}\n` },
    ];
    return { text: edited(file.text, edits), what: `${found.name} in ${target.name}` };
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

function attribute(words: string): Mutation {
  return {
    kind: "attribute",
    runs: true,
    apply(file, random) {
      const target = random.of(
        file.functions.filter(({ head }) => !/\b(inline|noinline|__always_inline)\b/.test(head)),
      );
      if (target === undefined) return undefined;
      const at = target.isStatic ? file.code.indexOf("static", target.from) + 6 : target.from;
      return { text: edited(file.text, [{ from: at, to: at, text: ` ${words} ` }]), what: `${words} ${target.name}` };
    },
  };
}

const onlyStatic = (file: Scan) => file.functions.filter(({ isStatic }) => isStatic);

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

export const MUTATIONS: readonly Mutation[] = [
  constant,
  constant,
  condition,
  condition,
  repeatedCall,
  addition("printk", `\tif (${OFF})\n\t\tprintk(KERN_INFO "mutant %d\\n", __LINE__);`),
  addition("pr_debug", `\tif (${OFF})\n\t\tpr_debug("mutant\\n");`),
  addition("pr_info_once", `\tif (${OFF})\n\t\tpr_info_once("mutant\\n");`),
  addition("WARN_ONCE", `\tWARN_ONCE(${OFF}, "mutant %d\\n", ${OFF});`),
  addition("BUG_ON", `\tBUG_ON(${OFF});`),
  addition("trace_printk", `\tif (${OFF})\n\t\ttrace_printk("mutant %d\\n", ${OFF});`, "#include <linux/kernel.h>\n"),
  addition("static local", `\t{ static int mutant_count = 5; if (${OFF}) mutant_count += ${OFF}; }`),
  addition(
    "per-CPU data",
    `\tif (${OFF})\n\t\tthis_cpu_inc(suture_mutant_counter);`,
    "#include <linux/percpu.h>\nstatic DEFINE_PER_CPU(int, suture_mutant_counter);\n",
  ),
  addition(
    "static key",
    `\tif (static_branch_unlikely(&suture_mutant_key))\n\t\tprintk("mutant\\n");`,
    "#include <linux/jump_label.h>\nstatic DEFINE_STATIC_KEY_FALSE(suture_mutant_key);\n",
  ),
  addition("alternative", `\tif (${OFF})\n\t\tmb();`),
  addition(
    "exception table",
    `\tif (${OFF}) { int mutant; if (get_user(mutant, (int __user *)0)) printk("mutant\\n"); }`,
    "#include <linux/uaccess.h>\n",
  ),
  addition(
    "tracepoint",
    `\tif (${OFF})\n\t\ttrace_sched_kthread_stop(current);`,
    "#include <linux/sched.h>\n#include <trace/events/sched.h>\n",
  ),
  addition(
    "lock",
    `\tif (${OFF}) { mutex_lock(&suture_mutant_lock); mutex_unlock(&suture_mutant_lock); }`,
    "#include <linux/mutex.h>\nstatic DEFINE_MUTEX(suture_mutant_lock);\n",
  ),
  addition(
    "work",
    `\tif (${OFF})\n\t\tschedule_work(&suture_mutant_work);`,
    "#include <linux/workqueue.h>\nstatic void suture_mutant_do(struct work_struct *work) { }\nstatic DECLARE_WORK(suture_mutant_work, suture_mutant_do);\n",
  ),
  addition(
    "srcu",
    `\tif (${OFF})\n\t\tsrcu_read_unlock(&suture_mutant_srcu, srcu_read_lock(&suture_mutant_srcu));`,
    "#include <linux/srcu.h>\nDEFINE_STATIC_SRCU(suture_mutant_srcu);\n",
  ),
  addition(
    "new function",
    `\tif (${OFF})\n\t\tsuture_mutant_new(${OFF});`,
    "static noinline void suture_mutant_new(int n) { if (n > 3) suture_mutant_off = n; }\n",
  ),
  addition(
    "export",
    `\tif (${OFF})\n\t\tsuture_mutant_shown();`,
    "#include <linux/export.h>\nvoid suture_mutant_shown(void);\nnoinline void suture_mutant_shown(void) { suture_mutant_off = 0; }\nEXPORT_SYMBOL_GPL(suture_mutant_shown);\n",
  ),
  addition(
    "module parameter",
    `\tif (suture_mutant_parameter)\n\t\tprintk("mutant\\n");`,
    "#include <linux/moduleparam.h>\nstatic int suture_mutant_parameter;\nmodule_param(suture_mutant_parameter, int, 0444);\n",
  ),
  addition(
    "initcall",
    `\tif (${OFF})\n\t\tprintk("mutant\\n");`,
    "#include <linux/init.h>\n#include <linux/module.h>\nstatic int __init suture_mutant_start(void) { return 0; }\nlate_initcall(suture_mutant_start);\n",
    false,
  ),
  attribute("noinline"),
  attribute("__cold"),
  attribute("__attribute__((aligned(64)))"),
  renamed("function renamed", onlyStatic),
  renamed("variable renamed", (file) => file.variables.filter(({ isStatic }) => isStatic)),
  moved,
  moved,
  parameter,
  parameter,
  member,
  initialValue,
  tableEntry,
  text,
  started,
];
