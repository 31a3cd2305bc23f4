/** A name in 32 bits, signed: by these, a text's names are searched quickly. */
export function nameHash(name: string): number {
  let hashed = 0;
  for (let i = 0; i < name.length; i++) hashed = (Math.imul(hashed, 31) + name.charCodeAt(i)) | 0;
  return hashed;
}
