/** The machine that figures hold for. */
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGB: number;
  readonly system: string;
  readonly compiler: string;
  readonly node: string;
}

export function machine(compiler: string): Machine {
  const all = cpus();
  return {
    processor: all[0]?.model.trim() ?? "unknown",
    processors: all.length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "unknown",
    compiler,
    node: process.versions.node,
  };
}
