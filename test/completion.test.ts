/** What bash, zsh and fish offer, by the scripts that suture prints for them. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commands } from "../src/cli/commands.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../src/lib/temp.ts";
import { shown } from "./fixtures/shown.ts";

const BIN = join(import.meta.dirname, "../bin");
const SHELLS = ["bash", "zsh", "fish"] as const;

let directory: TemporaryDirectory;

beforeAll(async () => {
  directory = await temporaryDirectory();
  mkdirSync(join(directory.path, "cache/kernels"), { recursive: true });
  for (const shell of SHELLS) writeFileSync(join(directory.path, shell), ran("suture", "completion", shell));
  writeFileSync(join(directory.path, "fix.ko"), "");
});

afterAll(async () => {
  await directory?.[Symbol.asyncDispose]();
});

function ran(program: string, ...args: string[]): string {
  const env = { ...process.env, PATH: `${BIN}:${process.env["PATH"]}`, SUTURE_CACHE: join(directory.path, "cache") };
  const { stdout, stderr } = spawnSync(program, args, { cwd: directory.path, encoding: "utf8", env });
  expect(stderr).toBe("");
  return stdout;
}

/** What a shell shows or writes when the last word is to be completed, with all that the shells add of their own. */
const ASK = {
  bash: (line: string) => {
    const words = line.split(" ");
    const script = `source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _suture; printf '%s\n' "\${COMPREPLY[@]}"`;
    return ran("bash", "-c", script, "bash", ...words);
  },
  zsh: (line: string) => ran("zsh", "-f", "-c", ZSH, "zsh", line),
  fish: (line: string) => ran("fish", "-N", "-c", `source ./fish; complete -C '${line}'`),
} as const;

/** A shell at a terminal of its own, to which a line and a tab are typed; what is typed next comes after what it offers. */
const ZSH = String.raw`
zmodload zsh/zpty
zpty typed zsh -f -i
zpty -w typed 'autoload -Uz compinit; compinit -u -D; source ./zsh; LISTMAX=1000000; PS1=wait""ing'
while zpty -r typed out '*waiting*'; do break; done
zpty -w -n typed $1$'\t\025'
zpty -w typed 'print en""ded'
while zpty -r typed out; do print -rn -- $out; [[ $out == *ended* ]] && break; done
zpty -d typed
`;

test.each(SHELLS)("%s completes commands, verbs, options, words and files", (shell) => {
  const ask = ASK[shell];
  expect(ask("suture ex")).toContain("explain");
  for (const verb of ["fetch", "list", "remove"]) expect(ask("suture kernel ")).toContain(verb);
  expect(ask("suture kernel ")).not.toContain("explain");
  expect(ask("suture rehearse --dur")).toContain("--during");
  expect(ask("suture kernel list --js")).toContain("--json");
  expect(ask("suture completion zs")).toContain("zsh");
  expect(ask("suture explain fi")).toContain("fix.ko");
  expect(ask("suture rehearse a.ko --before fi")).toContain("fix.ko");
  expect(ask("suture rehearse a.ko --timeout fi")).not.toContain("fix.ko");
});

test.each(SHELLS)("%s asks suture for what there is now", (shell) => {
  const ask = ASK[shell];
  expect(ask(`suture load fix.ko --pid ${String(process.pid).slice(0, -1)}`)).toContain(String(process.pid));
  expect(ask("suture kernel fetch runn")).toContain("running");
  expect(ask("suture build --kernel runn")).toContain("running");
  expect(ask("suture unload no_such_")).not.toMatch(/no_such_\w/);
});

test.each(SHELLS)("%s has the words of every command", (shell) => {
  const script = ran("suture", "completion", shell);
  for (const { name } of commands) for (const word of name.split(" ")) expect(script).toContain(word);
});

test("a document has the script, or the words with their meanings", () => {
  expect(shown(ran("suture", "completion", "bash", "--json"))).toMatchObject({ shell: "bash" });
  const { words } = shown(ran("suture", "completion", "pids", "--json"));
  expect(words).toContainEqual({ word: String(process.pid), meaning: expect.any(String) });
});
