/** The page of docs/ with every error. */
import { ERRORS } from "../lib/codes.ts";

/** The text of docs/errors.md, from the one table of codes; a test holds the page to it. */
export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([code, says]) => `| ${code} | ${says} |`);
  return `# Errors

Made by \`npm run docs\` from src/lib/codes.ts.

What is wrong with the input or the environment: exit code 1, and nothing is left half done. The place and what to do stand below the code when it is said. What cannot be patched is no error but a [refusal](refusals.md), of [processes](process.md) and the [running kernel](kernel.md) too.

| code | what is wrong |
|---|---|
${rows.join("\n")}
`;
}
