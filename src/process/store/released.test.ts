import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeRecord } from "../../core/record.ts";
import { recordIn } from "./control-record.ts";
import { readLoadRecord } from "./load-record.ts";

/** What the last release has remembered in a process with one livepatch. */
const released = JSON.parse(readFileSync(join(import.meta.dirname, "../../../test/released/record.json"), "utf8"));

test("a record of the last released format is read, all of it", () => {
  const record = recordIn({ number: released.number, json: released });
  expect(record).toEqual(released);
  expect(decodeRecord(record?.core ?? "")).toEqual(JSON.parse(released.core));
  expect(readLoadRecord(record?.extra, "here")).toEqual(released.extra);
});
