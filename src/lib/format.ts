/**
 * What outlives the command that wrote it says the version of its format. The
 * rule is in docs/versions.md: a version is raised where a suture that knows only
 * those before would do something false, and everything else comes as a new key.
 */
import * as v from "valibot";
import { EXIT, SutureError } from "./error.ts";

/** Keys that are not known, with what they hold. */
export type OtherKeys = Readonly<Record<string, unknown>>;

/**
 * An object of which keys that are not known are kept as they are: it is written
 * again, and a newer suture may have written it before. The type says nothing of them.
 */
export function keeping<const Entries extends v.ObjectEntries>(entries: Entries): v.ObjectSchema<Entries, undefined> {
  return v.looseObject(entries) as unknown as v.ObjectSchema<Entries, undefined>;
}

/** What of an object read by `keeping` is not known. */
export function otherKeys({ entries }: { readonly entries: v.ObjectEntries }, value: object): OtherKeys {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !Object.hasOwn(entries, key)));
}

/** A format that is newer than what this suture knows. */
export interface NewerFormat {
  readonly version: number;
  readonly known: number;
  /** Who wrote it, where it says so, for instance `suture 0.3.0`. */
  readonly tool: string | undefined;
}

/** undefined for one of a version that is known, and for what has no version at all. */
export function newerFormat(json: unknown, known: number): NewerFormat | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { version, tool } = json as { readonly version?: unknown; readonly tool?: unknown };
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version <= known) return undefined;
  return { version, known, tool: typeof tool === "string" ? tool.slice(0, MOST_SHOWN) : undefined };
}

const MOST_SHOWN = 60;

/** For instance `is of version 2, written by suture 0.3.0; this suture knows version 1`. */
export function describeNewer({ version, known, tool }: NewerFormat): string {
  return `is of version ${version}${tool === undefined ? "" : `, written by ${tool}`}; this suture knows version ${known}`;
}

/** Throws `NEWER_FORMAT` for what a newer suture has written in a format that this one does not know. */
export function checkFormat(json: unknown, known: number, what: string, where: string | undefined): void {
  const newer = newerFormat(json, known);
  if (newer === undefined) return;
  throw new SutureError("NEWER_FORMAT", `${what} ${describeNewer(newer)}`, {
    where,
    hint: "use the suture that wrote it, or a newer one",
    exit: EXIT.refused,
  });
}
