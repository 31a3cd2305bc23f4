/** A machine that is kept patched: the commands of the README's tour, in a Debian system with systemd. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "../test/machine/machine.ts";
import { chapter, claim, command, printed, type Row, say } from "./story.ts";
import { CHECKOUT } from "./suture.ts";
import type { TourMachine } from "./tour-machine.ts";

/** One command of the README. */
interface Step {
  readonly command: string;
  /** What the README says of it. */
  readonly says: string;
}

/** What a step's output has to have, by how its command begins, each one for its turn; where none is named it has to end with 0 alone. */
const SEEN: readonly (readonly [begins: string, shows: RegExp, status?: number])[] = [
  ["suture preflight", /livepatch_fix/],
  ["suture load livepatch-fix", /livepatch_fix loaded/],
  ["suture status", /livepatch_fix +enabled/],
  ["suture install", /livepatch_fix installed/],
  ["suture status", /livepatch_fix .* live +comes back after a reboot/],
  ["suture load livepatch-harm", /HARM: livepatch_harm was taken away again/, 2],
  ["suture log", /HARM: livepatch_harm was taken away again/],
  ["suture uninstall", /livepatch_fix unloaded/],
];

/** The commands below the README's headline for administrators. */
async function stepsOf(): Promise<Step[]> {
  const readme = await readFile(join(CHECKOUT, "README.md"), "utf8");
  const block = /\n## An administrator's tour\n[\s\S]*?\n```\n([\s\S]*?)\n```\n/.exec(readme)?.[1] ?? "";
  const lines = block.split("\n").map((line) => line.split(/\s+# /));
  return lines.map(([text = "", says = ""]) => ({ command: text.trim(), says: says.trim() }));
}

/** @returns the lines of the summary */
export async function tour({ ready }: TourMachine): Promise<Row[]> {
  chapter("7. A machine that is kept patched");
  const machine = await ready;
  if (machine === undefined) {
    say("It is a Debian system in a virtual machine, which root alone can make: left out.");
    return [];
  }
  await using _ = machine;
  say("A Debian system with systemd, in a virtual machine with the kernel that lacks the fix. What follows is");
  say("the tour in README.md, line by line; the package was made from this checkout.");
  const expected = [...SEEN];
  let rebooted = 0;
  for (const step of await stepsOf()) {
    // The package was made on this machine.
    const text = step.command.replace(/^make deb && /, "");
    command("guest#", text);
    if (text === "systemctl reboot") {
      const began = performance.now();
      await machine.reboot();
      rebooted = (performance.now() - began) / 1000;
      say(`It is up again after ${rebooted.toFixed(0)} s.`);
      continue;
    }
    await done(machine, text, expected);
  }
  claim(expected.length === 0, "the tour has all its steps", expected.map(([begins]) => begins).join(", "));
  return [["the tour's machine", `one reboot in ${rebooted.toFixed(0)} s, patched before and after`]];
}

async function done(machine: Machine, text: string, expected: (typeof SEEN)[number][]): Promise<void> {
  const { status, output } = await machine.run(`cd /root && ${text}`);
  const [next] = expected;
  if (next === undefined || !text.startsWith(next[0])) {
    // What apt does is shown by its last lines.
    printed(output.split("\n").slice(-6).join("\n"));
    claim(status === 0, `${text} succeeds`, output);
    return;
  }
  const [, shows, wanted = 0] = next;
  expected.shift();
  printed(output);
  claim(status === wanted, `${text} ends with exit code ${wanted}`, `${status}: ${output}`);
  claim(shows.test(output), `${text} shows ${shows.source}`, output);
}
