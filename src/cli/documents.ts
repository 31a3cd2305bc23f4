/**
 * What --json prints, by command: a schema and its version. Added fields leave
 * the version as it is; one that goes or changes its meaning raises it. What a
 * command gives to be printed is checked against it by the compiler, what it
 * prints by a test; docs/schemas is made from it by `npm run docs`.
 */
import type * as v from "valibot";
import {
  auditDocument,
  buildDocument,
  completionDocument,
  explainDocument,
  kernelFetchDocument,
  kernelListDocument,
  kernelRemoveDocument,
  objectDiffDocument,
  sourceDocument,
} from "./documents/built.ts";
import { catchUpDocument } from "./documents/catch-up.ts";
import {
  bootDocument,
  daemonDocument,
  installDocument,
  logDocument,
  monitorDocument,
  statusDocument,
} from "./documents/lasting.ts";
import { infoDocument, listDocument, verbDocument } from "./documents/loaded.ts";
import { errorDocument } from "./documents/problem.ts";
import { rehearseDocument } from "./documents/rehearsal.ts";
import {
  keyGenerateDocument,
  keyListDocument,
  keyRemoveDocument,
  keyTrustDocument,
  signDocument,
  verifyDocument,
} from "./documents/trust.ts";

/** By the command's name; `error` is printed by any that ends with one. */
export const documents = {
  build: { version: 1, schema: buildDocument },
  explain: { version: 1, schema: explainDocument },
  rehearse: { version: 1, schema: rehearseDocument },
  audit: { version: 1, schema: auditDocument },
  "catch-up": { version: 1, schema: catchUpDocument },
  preflight: { version: 1, schema: verbDocument },
  load: { version: 1, schema: verbDocument },
  list: { version: 1, schema: listDocument },
  info: { version: 1, schema: infoDocument },
  enable: { version: 1, schema: verbDocument },
  disable: { version: 1, schema: verbDocument },
  unload: { version: 1, schema: verbDocument },
  force: { version: 1, schema: verbDocument },
  signal: { version: 1, schema: verbDocument },
  install: { version: 1, schema: installDocument },
  uninstall: { version: 1, schema: installDocument },
  log: { version: 1, schema: logDocument },
  status: { version: 1, schema: statusDocument },
  daemon: { version: 1, schema: daemonDocument },
  boot: { version: 1, schema: bootDocument },
  monitor: { version: 1, schema: monitorDocument },
  "kernel fetch": { version: 1, schema: kernelFetchDocument },
  "kernel list": { version: 1, schema: kernelListDocument },
  "kernel remove": { version: 1, schema: kernelRemoveDocument },
  "key generate": { version: 1, schema: keyGenerateDocument },
  "key list": { version: 1, schema: keyListDocument },
  "key trust": { version: 1, schema: keyTrustDocument },
  "key remove": { version: 1, schema: keyRemoveDocument },
  sign: { version: 1, schema: signDocument },
  verify: { version: 1, schema: verifyDocument },
  source: { version: 1, schema: sourceDocument },
  "object-diff": { version: 1, schema: objectDiffDocument },
  completion: { version: 1, schema: completionDocument },
  error: { version: 1, schema: errorDocument },
} as const satisfies Record<string, { readonly version: number; readonly schema: v.GenericSchema }>;

/** A command's name, as `Command.name` has it, or `error`. */
export type DocumentName = keyof typeof documents;

/** What a command of that name may print. */
export type Json<Name extends DocumentName = DocumentName> = Shown<v.InferInput<(typeof documents)[Name]["schema"]>>;

/** The same, nothing of it changed by who prints it. */
type Shown<Value> = Value extends object ? { readonly [Key in keyof Value]: Shown<Value[Key]> } : Value;

/** Which document it is, then what it says. */
export function documentOf(name: DocumentName, json: Json): object {
  return { document: { name, version: documents[name].version }, ...json };
}
