/** docs/schemas: a JSON Schema (draft-07) for each document of --json. */
import { toJsonSchema } from "@valibot/to-json-schema";
import { commands } from "./commands.ts";
import { type DocumentName, documents } from "./documents.ts";

/** The file's name and its text, for each document. */
export function jsonSchemas(): [file: string, text: string][] {
  const names = Object.keys(documents) as DocumentName[];
  return names.map((name) => [schemaFile(name), `${JSON.stringify(jsonSchema(name), undefined, 1)}\n`]);
}

/** `kernel list` is in kernel-list.json. */
export function schemaFile(name: DocumentName): string {
  return `${name.replaceAll(" ", "-")}.json`;
}

function jsonSchema(name: DocumentName): object {
  const { version, schema } = documents[name];
  const { $schema, ...says } = toJsonSchema(schema, { typeMode: "input", ignoreActions: ["check", "regex"] });
  const summary = commands.find((each) => each.name === name)?.summary;
  const document = {
    type: "object",
    properties: { document: documentSchema(name, version) },
    required: ["document"],
  };
  return {
    $schema,
    title: name === "error" ? "Any command that ends with an error" : `suture ${name} --json`,
    ...(summary === undefined ? {} : { description: summary }),
    allOf: [document, says],
  };
}

/** Which document it is: the same in all of them. */
function documentSchema(name: DocumentName, version: number): object {
  const properties = { name: { const: name }, version: { const: version } };
  return { type: "object", properties, required: ["name", "version"] };
}
