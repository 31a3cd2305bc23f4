/** The packages of npm that suture imports, as far as a machine needs them, and Node. */

import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What Node may load; the terms go into the package's copyright. */
const LOADED = /\.(?:[cm]?js|json|node)$/;
/** For who develops a package. */
const NOT_LOADED = /(?:^|\/)(?:test|specs|examples)\/|^(?:example|gruntfile)\.js$|\.min\./;
/** In a package: for browsers, for other C libraries, for who builds it, and forms that our imports do not ask for. */
const LEFT_OUT: Readonly<Record<string, RegExp>> = {
  "@koromix/koffi-linux-x64": /^musl_/,
  bintrees: /^dist\//,
  diff: /^(?:dist|libcjs)\/|^eslint/,
  koffi: /^(?:doc|vendor|lib)\/|^cnoke|trampolines/,
  valibot: /\.cjs$/,
};

/** Copies to `home/node_modules` what of them is loaded at run time. */
export async function copyNodePackages(root: string, home: string): Promise<void> {
  for (const { name } of await production(root)) {
    const from = join(root, "node_modules", name);
    for (const path of await readdir(from, { recursive: true })) {
      if (!LOADED.test(path) || NOT_LOADED.test(path) || LEFT_OUT[name]?.test(path)) continue;
      const to = join(home, "node_modules", name, path);
      await mkdir(dirname(to), { recursive: true });
      await cp(join(from, path), to);
    }
  }
}

/** Where the terms of a package lie, if not in the folder of its name. */
const TERMS_IN: Readonly<Record<string, string>> = { "@koromix/koffi-linux-x64": "koffi" };

/** The terms of each of them, and of Node, as they have come. Throws where one has come without. */
export async function licences(root: string): Promise<{ readonly name: string; readonly text: string }[]> {
  const brought = [...(await production(root)).map(({ name }) => name), "node"];
  return await Promise.all(
    brought.map(async (name) => {
      const directory = join(root, "node_modules", TERMS_IN[name] ?? name);
      const file = (await readdir(directory)).find((each) => /^licen[cs]e/i.test(each));
      if (file === undefined) throw new Error(`the terms of ${name} are not there: ${directory}`);
      return { name, text: await readFile(join(directory, file), "utf8") };
    }),
  );
}

/** Those that package.json names, and all that these need and that is there for this machine. */
async function production(root: string): Promise<Manifest[]> {
  const found = new Map<string, Manifest>();
  const visit = async (manifest: Manifest): Promise<void> => {
    const optional = Object.keys(manifest.optionalDependencies ?? {});
    const there = optional.filter((name) => existsSync(join(root, "node_modules", name)));
    for (const name of [...Object.keys(manifest.dependencies ?? {}), ...there]) {
      if (found.has(name)) continue;
      const each = await manifestOf(root, name);
      found.set(name, each);
      await visit(each);
    }
  };
  await visit(JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Manifest);
  return [...found.values()];
}

async function manifestOf(root: string, name: string): Promise<Manifest> {
  const text = await readFile(join(root, "node_modules", name, "package.json"), "utf8");
  return JSON.parse(text) as Manifest;
}
