/**
 * Names that C++ compilers number within a function: lambdas, unnamed types, local
 * classes and static locals of one name, temporaries that references keep alive.
 * Source of the encodings: Itanium C++ ABI, 5.1 (closure types, discriminators).
 *
 * A number tells one from another in one compilation. In the next, where one more
 * stands before it, it is another's.
 */

/** Without the numbers: equal for all that only a number tells apart. undefined for a name that has none. */
export function familyOf(name: string): string | undefined {
  if (!/^_Z/.test(name)) return undefined;
  const family = name
    // Ul PARAMETERS E NUMBER _, Ut NUMBER _
    .replaceAll(/(?<=Ul.*E)\d*_/g, "#_")
    .replaceAll(/(?<=Ut)\d*_/g, "#_")
    // Discriminators: _DIGIT or __DIGITS_, behind a local entity
    .replace(/^(_ZG?V?Z.*?E.*?[A-Za-z\dE])_(?:\d|_\d+_)(?=[a-z]*$|v$)/, "$1")
    .replace(/^(_ZGR.*?)\d*_$/, "$1#_")
    .replaceAll(/\.(constprop|isra|part|cold|lto_priv)\.\d+/g, ".$1");
  const isNumbered = /^_Z(ZN?|G[VR])|U[lt]/.test(name);
  return isNumbered ? family : undefined;
}

/** Whether the mangled name is of a lambda, or of something in one. */
export function isLambda(name: string): boolean {
  return /^_Z.*Ul.*E\d*_/.test(name);
}

/** The parts that compilers make of a coroutine. */
export function isCoroutine(name: string): boolean {
  return /^_Z.*\.(actor|destroy|resume|cleanup|frame|Frame)(\.|$)/.test(name);
}
