/** A transition of the kernel while it goes on: who is left, against time. */
import type { Picture } from "../lib/progress.ts";
import type { KernelHolder } from "../targets/kernel/holders.ts";
import type { TransitionLook } from "../targets/kernel/transition.ts";

/** How bars of eight heights are drawn: by blocks where the terminal has them. */
const BARS = { blocks: "▁▂▃▄▅▆▇█", plain: "_.-~=+*#" } as const;
/** The chart is at most so wide. */
const MOST_BARS = 40;
const MOST_TASKS = 8;
/** Tasks that one line names. */
const MOST_NAMED = 3;

/**
 * @param looks of one transition, the first one first, at least one
 * @param hasBlocks whether what shows it has more than ASCII
 */
export function transitionPicture(looks: readonly TransitionLook[], keep: boolean, hasBlocks = isUtf8()): Picture {
  const now = looks.at(-1) as TransitionLook;
  const left = looks.map(({ holders }) => holders.length);
  const head = `${now.patch}: ${GOING[now.going]}: ${switched(now)}`;
  const time = `${seconds(now.elapsedMs)} of ${seconds(now.timeoutMs)} s`;
  const then = keep ? "is left as it is" : "is turned back";
  const end =
    now.going === "turning-back" ? "" : `after ${seconds(now.timeoutMs)} s it ${then}; Ctrl-C turns it back now`;
  return {
    line: `${head} after ${seconds(now.elapsedMs)} s: ${namedTasks(now.holders)}`,
    lines(columns, rows) {
      const width = Math.max(1, columns - 1);
      const most = Math.max(1, Math.min(MOST_TASKS, Math.floor((rows - 4) / 2)));
      const tasks = now.holders.slice(0, most).flatMap(taskLines);
      const more = now.holders.length - most;
      const lines = [
        head,
        `${bars(left, Math.min(MOST_BARS, width - 14), hasBlocks)} left ${left.at(-1)}, ${time}`,
        ...tasks,
        ...(more > 0 ? [`  and ${more} more`] : []),
        ...(end === "" ? [] : [end]),
      ];
      return lines.slice(0, Math.max(1, rows - 1)).map((line) => cut(line, width));
    },
  };
}

const GOING = { enabling: "patching", disabling: "unpatching", "turning-back": "turning back" } as const;

function switched({ tasks, holders }: TransitionLook): string {
  return `${Math.max(0, tasks - holders.length)} of ${tasks} tasks have switched`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 10_000 && ms % 1000 !== 0 ? 1 : 0);
}

function taskLines({ name, tid, why, help }: KernelHolder): string[] {
  return [`  ${name} (${tid}): ${why}`, `    ${help}`];
}

function namedTasks(holders: readonly KernelHolder[]): string {
  const named = holders.slice(0, MOST_NAMED).map(({ name, tid, why }) => `${name} (${tid}) ${why}`);
  const more = holders.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

/** How many were left at each look, the present one last, each against the most. */
function bars(left: readonly number[], width: number, hasBlocks: boolean): string {
  const glyphs = hasBlocks ? BARS.blocks : BARS.plain;
  const most = Math.max(1, ...left);
  const count = Math.max(1, Math.min(width, left.length));
  return Array.from({ length: count }, (_, i) => {
    const value = left[Math.floor(((i + 1) * left.length) / count) - 1] ?? 0;
    return value === 0 ? " " : (glyphs[Math.min(7, Math.floor((value * 8) / most))] ?? "");
  }).join("");
}

/** To so many columns, where a character of an East Asian script takes two. */
function cut(line: string, width: number): string {
  let columns = 0;
  let kept = "";
  for (const character of line) {
    columns += WIDE.test(character) ? 2 : 1;
    if (columns > width) break;
    kept += character;
  }
  return kept;
}

const WIDE = /[\u{1100}-\u{115f}\u{2e80}-\u{ffdc}\u{1f000}-\u{3fffd}]/u;

function isUtf8(env: NodeJS.ProcessEnv = process.env): boolean {
  return /utf-?8/i.test(env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "");
}
