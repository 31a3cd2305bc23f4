/** The kernels that a distribution ships, as a table and as JSON. */
import type { AvailableKernels } from "../provider/available-kernel.ts";
import { columns } from "./columns.ts";
import type { Json } from "./documents.ts";

type Available = NonNullable<Json<"kernel list">["available"]>;
type Dropped = NonNullable<Json<"kernel list">["dropped"]>;

/** @param ready releases of those that are ready here */
export function availableJson({ kernels }: AvailableKernels, ready: ReadonlySet<string>): Available {
  return kernels.map(({ release, version, suites, flavour, missing }) => ({
    release,
    version,
    suites: [...suites],
    flavour,
    ready: ready.has(release),
    ...(missing === undefined ? {} : { missing }),
  }));
}

/** Lines in columns, the first one their heads; then what could not be looked at. */
export function availableTable(available: Available, dropped: Dropped): string[] {
  const rows = available.map(({ release, version, suites, flavour, ready, missing }) => [
    release,
    version,
    flavour,
    suites.join(", "),
    ready ? "ready" : missing === undefined ? "can be fetched" : `not to be had: ${missing}`,
  ]);
  return [
    ...(rows.length === 0
      ? ["no suite of Debian's can be reached by apt's sources"]
      : columns([["RELEASE", "VERSION", "FLAVOUR", "SUITE", "STATE"], ...rows])),
    ...dropped.map(({ suite, why }) => `${suite} is left out: ${why}`),
  ];
}
