/** The man pages, as groff takes them. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { commands } from "../src/cli/commands.ts";
import { manualPages } from "../src/cli/manual.ts";

const pages = manualPages(commands, "2026-01-31");

/** As `man` shows it at a terminal of 80 columns, with no emphasis. */
function rendered(text: string): string {
  const groff = ["groff", "-man", "-k", "-ww", "-Tutf8", "-P-cbou"];
  const { stdout, stderr } = spawnSync("env", ["LC_ALL=C.UTF-8", ...groff], { input: text, encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout;
}

test("each command has a page, which groff takes without a warning, with its options as they are typed", () => {
  expect(pages.map(({ file }) => file)).toEqual([
    "suture.1",
    ...commands.map(({ name }) => `suture-${name.replaceAll(" ", "-")}.1`),
  ]);
  for (const [index, { text }] of pages.slice(1).entries()) {
    const { name, options, arguments: words } = commands[index] as (typeof commands)[number];
    const shown = rendered(text);
    expect(shown).toContain(`suture ${name} [options]`);
    for (const option of Object.keys(options)) expect(shown).toContain(`--${option}`);
    for (const word of words) expect(shown).toMatch(new RegExp(`^ +${word.name}\\b`, "m"));
  }
});

test("suture(1) names every command and every exit status", () => {
  const shown = rendered(pages[0]?.text ?? "");
  for (const { name } of commands) expect(shown).toContain(`suture-${name.replaceAll(" ", "-")}(1)`);
  for (const exit of [0, 1, 2, 3]) expect(shown).toMatch(new RegExp(`^ +${exit} +\\w`, "m"));
});

test("what groff would take for something else is shown as it is", () => {
  const row = { ...(commands[0] as (typeof commands)[number]) };
  const words = 'it\'s \\fBno\\fR font, a ~ and a ^, `--a-b`, "quotes"';
  const [, page] = manualPages([{ ...row, summary: "none", description: `${words}\n.SH\n'no` }], "2026-01-31");
  const shown = rendered(page?.text ?? "").replaceAll(/\s+/g, " ");
  expect(shown).toContain("it's \\fBno\\fR font, a ~ and a ^, --a-b, \"quotes\" .SH 'no");
});
