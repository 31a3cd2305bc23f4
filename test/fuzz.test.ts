import { expect, test } from "vitest";
import { fuzz } from "../bench/fuzz/executions.ts";
import { mutated, mutationSpace, randomAt } from "../bench/fuzz/mutate.ts";
import type { FuzzParser } from "../bench/fuzz/parser.ts";
import { PARSERS } from "../bench/fuzz/parsers.ts";
import { SutureError } from "../src/lib/error.ts";

/** The message names what it takes to see a failure again. */
const SEED = Number(process.env["SUTURE_SEED"] ?? 1);
const SECONDS = 2;

test.each(PARSERS.map((parser) => [parser.name, parser] as const))(
  "%s takes damaged input as sound or throws a SutureError, each within a second",
  async (name, parser) => {
    const seeds = parser.seeds();
    for (const { data } of seeds) parser.run(data);
    const until = performance.now() + SECONDS * 1000;
    for (let first = 0; performance.now() < until; first += 500) {
      const { failure } = await fuzz(parser, seeds, { seed: SEED, first, step: 1, end: first + 500 });
      const again = `node bench/fuzz.ts --parsers ${name} --seed ${SEED} --only ${failure?.index}`;
      expect(failure === undefined ? "" : `${again}: ${failure.message}`).toBe("");
    }
  },
);

const faulty = (run: (data: Buffer) => void): FuzzParser => ({ name: "faulty", seeds: () => [], run });
const seeds = [{ data: Buffer.from("a seed that is long enough to be damaged in many places") }];
const range = { seed: 7, first: 0, step: 1, end: 10_000 };

test("a parser that throws something else is found out, with the input", async () => {
  const parser = faulty((data) => {
    if (data[0] === 0xff) throw new RangeError("outside");
    throw new SutureError("MADE_UP_FAULT", "bad");
  });
  const { failure, accepted } = await fuzz(parser, seeds, range);
  expect(failure?.message).toContain("RangeError: outside");
  expect(failure?.input[0]).toBe(0xff);
  expect(accepted).toBe(0);
  const again = await fuzz(parser, seeds, { ...range, first: failure?.index ?? 0, end: (failure?.index ?? 0) + 1 });
  expect(again.failure?.input.equals(failure?.input ?? Buffer.alloc(0))).toBe(true);
});

test("a parser that takes more than a second is found out", async () => {
  const parser = faulty(() => {
    const start = process.threadCpuUsage();
    while (process.threadCpuUsage(start).user < 1_100_000);
  });
  const { failure, executions } = await fuzz(parser, seeds, range);
  expect(failure?.message).toMatch(/^took \d+ ms$/);
  expect(executions).toBe(1);
});

test("an execution depends on its seed and its number alone", () => {
  const damaged = (seed: number, position: number): string =>
    mutated(seeds, randomAt(seed, position), mutationSpace(seeds)).toString("latin1");
  expect(damaged(1, 5)).toBe(damaged(1, 5));
  const different = new Set(Array.from({ length: 1000 }, (_, i) => damaged(1, i)));
  expect(different.size).toBeGreaterThan(900);
  expect(damaged(2, 5)).not.toBe(damaged(1, 5));
});
