/** The packages of npm that suture imports: which there are, their terms, and what of one a machine loads. */

import { existsSync } from "node:fs";
import { cp, mkdir, open, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What Node may load; the terms go into the package's copyright. */
const LOADED = /\.(?:[cm]?js|json|node)$/;
/** For other C libraries, for who builds or reads it, and forms that our imports do not ask for. */
const LEFT_OUT = /^(?:musl_|doc\/|vendor\/|lib\/)/;

/** Copies to `home/node_modules` what of a package, and of those that it needs, is loaded at run time. */
export async function copyNodePackage(root: string, name: string, home: string): Promise<void> {
  for (const each of [name, ...(await needed(root, await manifestOf(root, name))).map((needs) => needs.name)]) {
    const from = join(root, "node_modules", each);
    for (const path of await readdir(from, { recursive: true })) {
      if (!LOADED.test(path) || LEFT_OUT.test(path)) continue;
      const [source, to] = [join(from, path), join(home, "node_modules", each, path)];
      if (await isProgram(source)) continue;
      await mkdir(dirname(to), { recursive: true });
      await cp(source, to);
    }
  }
}

/** A program of its own, as those are by which a package is built; nothing imports it. */
async function isProgram(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
  return buffer.toString("latin1") === "#!";
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
  return await needed(root, JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Manifest);
}

/** All that a package needs, directly or not, and that is there for this machine. */
async function needed(root: string, manifest: Manifest): Promise<Manifest[]> {
  const found = new Map<string, Manifest>();
  const visit = async (each: Manifest): Promise<void> => {
    const optional = Object.keys(each.optionalDependencies ?? {});
    const there = optional.filter((name) => existsSync(join(root, "node_modules", name)));
    for (const name of [...Object.keys(each.dependencies ?? {}), ...there]) {
      if (found.has(name)) continue;
      const next = await manifestOf(root, name);
      found.set(name, next);
      await visit(next);
    }
  };
  await visit(manifest);
  return [...found.values()];
}

async function manifestOf(root: string, name: string): Promise<Manifest> {
  const text = await readFile(join(root, "node_modules", name, "package.json"), "utf8");
  return JSON.parse(text) as Manifest;
}
