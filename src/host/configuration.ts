/** What an administrator has decided for the machine: /etc/suture/suture.conf. docs/signatures.md describes it. */
import { join } from "node:path";
import { SutureError } from "../lib/error.ts";
import { isGuarded } from "../lib/guarded-path.ts";
import { readGivenFile } from "../lib/read-file.ts";
import type { HostPaths } from "./paths.ts";

/** By name: how a value is read; undefined for what is none. */
const SETTINGS = {
  /** Whether an unsigned livepatch is refused, and one signed by a key that is not trusted. */
  "require-signatures": { takes: "yes or no", read: yesOrNo },
} as const satisfies Record<string, { readonly takes: string; readonly read: (text: string) => unknown }>;

/** What was set; what is not set has a default that whoever asks for it knows. */
export type Configuration = {
  readonly [Name in keyof typeof SETTINGS]?: NonNullable<ReturnType<(typeof SETTINGS)[Name]["read"]>>;
};

const MAX_BYTES = 64 << 10;

/**
 * Nothing is set where there is no file. Throws `TRUST_NOT_SAFE` where others can write
 * to it, `CONFIGURATION_UNREADABLE` for a line that is not known: what is not understood
 * may be what keeps the machine safe.
 */
export async function readConfiguration({ configuration }: HostPaths): Promise<Configuration> {
  const path = join(configuration, "suture.conf");
  if (!isGuarded(path, "the configuration")) return {};
  const text = (await readGivenFile(path, { maxBytes: MAX_BYTES, what: "the configuration" })).toString("utf8");
  const settings: Record<string, unknown> = {};
  for (const [index, line] of text.split("\n").entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const where = `${path}, line ${index + 1}`;
    const [, name = "", value = ""] = /^\s*([a-z-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (!isSetting(name)) throw unreadable("a line that says nothing that is known", where, known());
    if (Object.hasOwn(settings, name)) throw unreadable(`${name} is set twice`, where, "leave one of the two lines");
    const { takes, read } = SETTINGS[name];
    const given = read(value);
    if (given === undefined) throw unreadable(`${name} takes ${takes}, not '${value}'`, where, known());
    settings[name] = given;
  }
  return settings;
}

function isSetting(name: string): name is keyof typeof SETTINGS {
  return Object.hasOwn(SETTINGS, name);
}

function known(): string {
  const lines = Object.entries(SETTINGS).map(([name, { takes }]) => `${name} = ${takes}`);
  return `a line is empty, begins with #, or is one of: ${lines.join("; ")}`;
}

function unreadable(what: string, where: string, hint: string): SutureError {
  return new SutureError("CONFIGURATION_UNREADABLE", `the configuration cannot be understood: ${what}`, {
    where,
    hint,
  });
}

function yesOrNo(text: string): boolean | undefined {
  return text === "yes" ? true : text === "no" ? false : undefined;
}
