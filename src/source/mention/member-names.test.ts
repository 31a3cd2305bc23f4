import { expect, test } from "vitest";
import { namesMembersAlone } from "./member-names.ts";

const isMember = (text: string): boolean => namesMembersAlone(text, new Set(["n"]));

test("a member's name is told from all else that a name can be", () => {
  for (const text of ["struct s { int n; };", "struct s { struct t *n, *m; };", "union { long m, n[4]; } u;"])
    expect(isMember(text)).toBe(true);
  expect(isMember("typedef struct { unsigned n : 3; struct { char n; } in; } t;")).toBe(true);
  for (const text of [
    "struct s { n m; };",
    "struct s { struct n; };",
    "struct s { struct n *m; };",
    "struct s { int m[n]; };",
    "struct s { int n(void); };",
    "struct s { int (*m)(n); };",
    "struct s { int m : n; };",
    "struct s { enum { n, m } e; };",
    "struct s { const n; };",
    "struct n { int m; };",
    "enum e { m, n, };",
    "int n;",
    "static inline int f(struct s *s) { return s->n; }",
    'struct s { int n; }; asm("n");',
    "struct s { int n;\n#ifdef n\n int m;\n#endif\n};",
  ])
    expect(isMember(text)).toBe(false);
});
