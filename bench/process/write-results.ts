import { writeFileSync } from "node:fs";
import { machine } from "../machine.ts";

/** Leaves figures in bench/results/NAME.json, with the machine that they hold for, and prints them. */
export function writeResults(name: string, figures: object): void {
  const text = `${JSON.stringify({ machine: machine("Debian's"), ...figures }, null, 2)}\n`;
  writeFileSync(new URL(`../results/${name}.json`, import.meta.url), text);
  process.stdout.write(text);
}
