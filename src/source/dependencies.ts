/** The file names in a dependency list that gcc wrote for make: after the colon, `\\` before a newline goes on. */
export function parseDependencies(text: string): string[] {
  const list = text.slice(text.indexOf(":") + 1);
  return (list.match(/(?:\\[ #\\]|\$\$|[^\s\\])+/g) ?? []).map((name) =>
    name.replace(/\\([ #\\])/g, "$1").replaceAll("$$", "$"),
  );
}
