import { parseDiff } from "../../src/source/diffs/diff-parse.ts";
import type { FuzzParser } from "./parser.ts";

const PLAIN = `--- a/fs/open.c\t2026-01-01 00:00:00
+++ b/fs/open.c\t2026-01-02 00:00:00
@@ -1,3 +1,4 @@
 int a;
-int b;
+int b = 1;
+int c;
 int d;
`;

const GIT = `From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001
Subject: [PATCH] change

---
diff --git a/net/x.c b/net/x.c
index 0123456..89abcde 100644
--- a/net/x.c
+++ b/net/x.c
@@ -10,2 +10,2 @@ static int f(void)
 {
-\treturn 0;
+\treturn 1;
\\ No newline at end of file
diff --git a/new.c b/new.c
new file mode 100644
--- /dev/null
+++ b/new.c
@@ -0,0 +1 @@
+int n;
diff --git a/old.c b/moved.c
similarity index 100%
rename from old.c
rename to moved.c
-- 
2.40.0
`;

/** The text of diffs, plain and git's. */
export const diff: FuzzParser = {
  name: "diff",
  seeds: () => [PLAIN, GIT].map((text) => ({ data: Buffer.from(text) })),
  run(data) {
    parseDiff({ name: "input", data });
  },
};
