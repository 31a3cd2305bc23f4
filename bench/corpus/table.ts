/** The rows of a run as a table of tab-separated values, and as JSON lines to go on from. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type CorpusFile, livepatchOf, outcomeOf, type Row } from "./row.ts";

export function readCorpus(path: string | URL): CorpusFile[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [file = "", object = "", reference = ""] = line.split("\t");
      return { file, object, reference };
    });
}

/** Files that one was built with, and the translation units that they reached. */
export interface Others {
  readonly files: readonly string[];
  readonly units: number;
}

/** Of the files that were built with others, in the table of an earlier run. */
export function readOthers(path: string): ReadonlyMap<string, Others> {
  const [head = "", ...lines] = readFileSync(path, "utf8").split("\n");
  const columns = head.split("\t");
  const [outcome, others, units] = ["with_others", "others", "units"].map((name) => columns.indexOf(name)) as [
    number,
    number,
    number,
  ];
  return new Map(
    lines.flatMap((line) => {
      const values = line.split("\t");
      if (values[outcome] !== "built" || !values[others]) return [];
      return [[values[0] as string, { files: values[others].split(","), units: Number(values[units]) }] as const];
    }),
  );
}

const COLUMNS: readonly (readonly [name: string, value: (row: Row) => string | number | undefined])[] = [
  ["file", (row) => row.file],
  ["object", (row) => row.object],
  ["reference", (row) => row.reference],
  ["outcome", (row) => outcomeOf(row)],
  ["code", (row) => distinct(row.alone?.codes)],
  ["reason", (row) => row.alone?.reason],
  ["funcs", (row) => row.alone?.funcs],
  ["notes", (row) => distinct(row.alone?.notes)],
  ["with_others", (row) => row.others?.result.outcome],
  ["with_others_code", (row) => distinct(row.others?.result.codes)],
  ["with_others_reason", (row) => row.others?.result.reason],
  ["with_others_funcs", (row) => row.others?.result.funcs],
  ["others", (row) => row.others?.files.filter((path) => path !== row.file).join(",")],
  ["units", (row) => row.others?.units],
  ["vm", (row) => row.vm?.kind],
  ["vm_wrong", (row) => row.vm?.wrong.join("; ")],
  ["targets_that_do_not_load", (row) => row.vm?.unloadable.join("; ")],
  ["transition_s", (row) => row.vm?.transitionSeconds?.toFixed(3)],
  ["build_s", (row) => row.timing?.build.toFixed(3)],
  ["compiles_s", (row) => row.timing?.compiles.toFixed(3)],
  ["ratio", (row) => row.timing && (row.timing.build / row.timing.compiles).toFixed(3)],
  ["diff_and_link_s", (row) => row.timing?.diffAndLink.toFixed(3)],
  ["functions", (row) => row.match?.functions],
  ["proved", (row) => row.match?.proved],
  ["absent", (row) => row.match?.absent.join(",")],
  ["differing", (row) => row.match?.differing.join(",")],
  ["unaccounted", (row) => row.match?.unaccounted.join(",")],
  ["audited_differences", (row) => row.audit?.differences],
  ["audit_found", (row) => row.audit?.findings.map(({ kind, what }) => `${kind}: ${what}`).join("; ")],
];

function distinct(codes: readonly string[] = []): string {
  return [...new Set(codes)].join(",");
}

/** Fields have no tabs or line ends, so that a line is a row. */
function writeTable(path: string, rows: readonly Row[]): void {
  const lines = rows.map((row) =>
    COLUMNS.map(([, value]) =>
      String(value(row) ?? "")
        .replace(/\s+/g, " ")
        .slice(0, 500),
    ).join("\t"),
  );
  publish(path, `${[COLUMNS.map(([name]) => name).join("\t"), ...lines].join("\n")}\n`);
}

/** The rows of a run, kept on disk from row to row. */
export class Rows {
  readonly #rows: Map<string, Row>;
  readonly #state: string;
  readonly #table: string;

  /** @param resume take over the rows of an earlier run that are in `state`, as far as their livepatches are still there */
  constructor(files: readonly CorpusFile[], state: string, table: string, resume: boolean) {
    this.#state = state;
    this.#table = table;
    const known = new Map(
      resume && existsSync(state)
        ? readRows(state)
            .filter(isWhole)
            .map((row) => [row.file, row])
        : [],
    );
    this.#rows = new Map(files.map((each) => [each.file, known.get(each.file) ?? { ...each, alone: undefined }]));
    writeTable(this.#table, this.all());
  }

  all(): Row[] {
    return [...this.#rows.values()];
  }

  update(file: string, part: Partial<Row>): void {
    this.#rows.set(file, { ...(this.#rows.get(file) as Row), ...part });
    publish(
      this.#state,
      `${this.all()
        .map((row) => JSON.stringify(row))
        .join("\n")}\n`,
    );
    writeTable(this.#table, this.all());
  }
}

function isWhole(row: Row): boolean {
  const livepatch = livepatchOf(row);
  return livepatch === undefined || existsSync(livepatch);
}

function readRows(path: string): Row[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}

function publish(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
