/** What compilers call themselves, in the first line of --version, and how they and their packages are named. */

/** What a packaged compiler calls itself says its package. */
export interface PackagedCompiler {
  /** For instance gcc-12. */
  readonly name: string;
  readonly major: string;
  /** Of the package, for instance 12.2.0-14+deb12u1. */
  readonly version: string;
}

/** `Debian clang version 14.0.6`; the kernel's makefiles tell it from gcc by the same word. */
export function isClang({ text }: { readonly text: string }): boolean {
  return /clang/i.test(text);
}

/**
 * What tells a compiler from others. gcc begins with the name it was called by: gcc-12
 * and x86_64-linux-gnu-gcc-12 are the same program. clang begins with who has built it.
 */
export function identityOf(text: string): string {
  return isClang({ text }) ? text.trim() : text.replace(/^\S+\s+/, "").trim();
}

/** Names that a compiler which calls itself this may be installed by, the likeliest first. */
export function candidateNames(text: string): string[] {
  const clang = /clang version (\d+)\./i.exec(text)?.[1];
  if (isClang({ text })) return [...(clang === undefined ? [] : [`clang-${clang}`]), "clang"];
  const [named = "gcc"] = text.split(/\s+/, 1);
  const major = /\s(\d+)\.\d+(?:\.\d+)?\s*$/.exec(text)?.[1];
  const names = [named, named.replace(/^.*-linux-gnu-/, ""), ...(major === undefined ? [] : [`gcc-${major}`]), "gcc"];
  return [...new Set(names)];
}

/**
 * `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0` is of the package gcc-12; undefined for what no
 * distribution packaged, and for clang, which does not say of which package's version it is.
 */
export function packagedCompiler(text: string): PackagedCompiler | undefined {
  const [, version, major] = /gcc\S*\s+\((?:Debian|Ubuntu) ([^)\s]+)\) (\d+)\./.exec(text) ?? [];
  if (version === undefined || major === undefined) return undefined;
  return { name: `gcc-${major}`, major, version };
}

/** How a compiler that calls itself this is come by. */
export function packageHint(text: string): string {
  const packaged = packagedCompiler(text);
  if (packaged !== undefined) return `apt-get install ${packaged.name}=${packaged.version}`;
  const [, major] = /^(?:Debian|Ubuntu) clang version (\d+)\./.exec(text) ?? [];
  return major === undefined ? "install that compiler" : `apt-get install clang-${major}`;
}
