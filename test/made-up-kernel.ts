/** A directory that looks and acts like the files of a kernel that takes in livepatches. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ModuleLoader } from "../src/targets/kernel/modules.ts";

/** A note as in sysfs: name size, description size, type 3 (build-id), "GNU". */
export function buildIdNote(buildId: string): Buffer {
  const head = Buffer.from("040000001400000003000000474e5500", "hex");
  return Buffer.concat([head, Buffer.from(buildId, "hex")]);
}

interface Module {
  references: number;
  readonly isLivepatch: boolean;
}

const TICK_MS = 2;

export class MadeUpKernel implements Disposable {
  readonly root: string = mkdtempSync(join(tmpdir(), "suture-kernel-"));
  /** Patches whose transitions do not end: in either direction, or in one. */
  readonly stuck: Map<string, "enabling" | "disabling" | "both"> = new Map();
  /** What a livepatch takes the place of when it is enabled. */
  readonly replaces: Map<string, readonly string[]> = new Map();
  /** Livepatches that hold themselves in memory. */
  readonly held: Set<string> = new Set();
  /** Patches that arrive, whatever is written for them by then. */
  readonly unturnable: Set<string> = new Set();
  readonly #modules = new Map<string, Module>();
  /** The way that each patch goes. */
  readonly #going = new Map<string, boolean>();
  readonly #ticking: NodeJS.Timeout;

  constructor(files: Readonly<Record<string, string | Buffer>> = {}) {
    mkdirSync(join(this.root, "sys/kernel/livepatch"), { recursive: true });
    this.write({ "proc/sys/kernel/osrelease": "6.1.0-1-amd64\n", ...files });
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticking);
    rmSync(this.root, { recursive: true });
  }

  /** Each file as a whole: nobody reads one that is empty for the moment, as none of the kernel's is. */
  write(files: Readonly<Record<string, string | Buffer>>): void {
    const fresh = join(this.root, "fresh");
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(this.root, dirname(path)), { recursive: true });
      if (path.endsWith("/.")) continue;
      writeFileSync(fresh, content);
      renameSync(fresh, join(this.root, path));
    }
  }

  readonly loader: ModuleLoader = {
    insert: async (name) => {
      if (this.#modules.has(name)) return `insmod: ERROR: could not insert module ${name}.ko: File exists`;
      this.#modules.set(name, { references: 1, isLivepatch: true });
      this.write({
        [this.#file(name, "enabled")]: "1\n",
        [this.#file(name, "transition")]: "1\n",
        [this.#file(name, "vmlinux/patched")]: "1\n",
        [this.#file(name, "vmlinux/answer,0/.")]: "",
      });
      this.#going.set(name, true);
      this.#list();
      return undefined;
    },
    remove: async (name) => {
      const module = this.#modules.get(name);
      if (module === undefined) return `rmmod: ERROR: Module ${name} is not currently loaded`;
      if (module.references > 0) return `rmmod: ERROR: Module ${name} is in use`;
      this.#modules.delete(name);
      this.#list();
      return undefined;
    },
  };

  #file(name: string, file: string): string {
    return `sys/kernel/livepatch/${name}/${file}`;
  }

  /** What the kernel's own livepatch core would do next. */
  #tick(): void {
    for (const name of readdirSync(join(this.root, "sys/kernel/livepatch"))) {
      const enabled = join(this.root, this.#file(name, "enabled"));
      if (!existsSync(enabled)) continue;
      if (this.unturnable.has(name) && readFileSync(enabled, "latin1").startsWith("0")) {
        this.write({ [this.#file(name, "enabled")]: "1\n" });
        this.stuck.delete(name);
      }
      const asked = readFileSync(enabled, "latin1");
      // Somebody is about to write there.
      if (asked === "") continue;
      const wanted = asked.startsWith("1");
      if (this.#going.get(name) !== wanted) {
        this.#going.set(name, wanted);
        this.write({ [this.#file(name, "transition")]: "1\n" });
        continue;
      }
      const stuck = this.stuck.get(name);
      const isForced = readIfThere(join(this.root, this.#file(name, "force"))) === "1";
      if (!isForced && (stuck === "both" || stuck === (wanted ? "enabling" : "disabling"))) continue;
      if (wanted) this.#enabled(name);
      else this.#gone(name);
    }
  }

  #enabled(name: string): void {
    this.write({ [this.#file(name, "transition")]: "0\n" });
    for (const old of this.replaces.get(name) ?? []) this.#gone(old);
  }

  #gone(name: string): void {
    rmSync(join(this.root, "sys/kernel/livepatch", name), { recursive: true, force: true });
    const module = this.#modules.get(name);
    if (module !== undefined) module.references = this.held.has(name) ? 1 : 0;
    this.#list();
  }

  #list(): void {
    const lines = [...this.#modules].reverse().map(([name, { references, isLivepatch }]) => {
      return `${name} 16384 ${references} - Live 0x0000000000000000 (${isLivepatch ? "OEK" : "OE"})\n`;
    });
    this.write({ "proc/modules": lines.join("") });
  }
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "latin1") : undefined;
}
