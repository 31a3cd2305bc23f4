/** Programs of this machine for a guest: with the libraries they need, and sources that Node runs. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../src/lib/run.ts";
import type { GuestFile } from "../src/rehearse/initramfs.ts";

const ROOT = join(import.meta.dirname, "..");

/** Node, as `/bin/node`. */
async function nodeFiles(): Promise<GuestFile[]> {
  return await programFiles(process.execPath, "node");
}

/** A program of this machine in the guest's /bin, with the libraries that it needs. */
export async function programFiles(from: string, name: string): Promise<GuestFile[]> {
  const { stdout } = await run("ldd", [from], { check: true });
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path as string);
  return [
    { kind: "copy", path: `/bin/${name}`, from, mode: 0o755 },
    ...libraries.map((path): GuestFile => ({ kind: "copy", path, from: path, mode: 0o755 })),
  ];
}

/** What suture's commands import when they speak to what runs. */
const PACKAGES = ["valibot", "commander", "koffi", "@koromix"];

/** suture, as `suture`, and the Node that it runs on. */
export async function sutureFiles(): Promise<GuestFile[]> {
  return [
    ...(await nodeFiles()),
    ...(await projectFiles(["src", ...PACKAGES.map((name) => `node_modules/${name}`)])),
    { kind: "copy", path: "/app/bin/suture", from: join(ROOT, "bin/suture"), mode: 0o755 },
    { kind: "symlink", path: "/app/node_modules/.bin/node", target: "/bin/node" },
    { kind: "symlink", path: "/bin/suture", target: "/app/bin/suture" },
  ];
}

/** This project's sources below /app, and the packages that they import. */
async function projectFiles(folders: readonly string[]): Promise<GuestFile[]> {
  const files: GuestFile[] = [{ kind: "copy", path: "/app/package.json", from: join(ROOT, "package.json") }];
  for (const folder of folders) {
    const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile() || !/\.(ts|js|cjs|mjs|json|node)$/.test(entry.name) || entry.name.endsWith(".test.ts"))
        continue;
      const from = join(entry.parentPath, entry.name);
      files.push({ kind: "copy", path: join("/app", from.slice(ROOT.length)), from });
    }
  }
  return files;
}
