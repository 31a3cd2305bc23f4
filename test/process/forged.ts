/** A program with a livepatch, whose control mapping is written over as an attacker would: whole records that say something else. */
import { problemOf } from "../../src/lib/error.ts";
import type { ProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { ProcessMemory } from "../../src/process/os/memory.ts";
import { ImageStore } from "../../src/process/stack/images.ts";
import { type ControlLayout, parityOf } from "../../src/process/store/control-layout.ts";
import type { Json } from "../../src/process/store/json.ts";
import { patchedState } from "../../src/targets/process/look.ts";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { controlOf, remembered, slotOf } from "./remembered.ts";
import { Server } from "./server.ts";

export const VERBS = ["list", "disable", "unload"] as const;
export type Verb = (typeof VERBS)[number];

/** Numbers from 0 up to, not including, 1. */
export type Random = () => number;

const PREFIX = 16;
const MOST = (1 << 20) - PREFIX;
/** What a verb may take away of the program; it starts again then. */
const TIMEOUT_MS = 20;

export class ForgedTarget implements AsyncDisposable {
  readonly #program: string;
  readonly #livepatch: ProgramLivepatch;
  readonly #images = new ImageStore();
  #server: Server | undefined;
  #layout: ControlLayout | undefined;
  #record: Json = null;
  /** How often the program had to be started. */
  starts = 0;

  constructor(program: string, livepatch: ProgramLivepatch) {
    this.#program = program;
    this.#livepatch = livepatch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }

  /**
   * Forges a record and runs a verb on it.
   * @returns the code of what it ends with, and what of a processor's time that took
   * Throws an error that names the record where that is INTERNAL.
   */
  async run(verb: Verb, random: Random): Promise<{ readonly code: string; readonly milliseconds: number }> {
    const server = await this.#ready();
    const forged = this.#forge(server.pid, random);
    const start = process.cpuUsage();
    let code: string;
    try {
      code = await this.#verb(verb, server.pid);
    } catch (error) {
      const problem = problemOf(error);
      if (problem.code === "INTERNAL")
        throw new Error(
          `${verb}: ${problem.what} ${problem.where ?? ""}: ${forged.toString("latin1").slice(0, 4000)}`,
          { cause: error },
        );
      code = problem.code;
    }
    const { user, system } = process.cpuUsage(start);
    const milliseconds = (user + system) / 1000;
    if (verb !== "list") await this.#end();
    return { code, milliseconds };
  }

  async #verb(verb: Verb, pid: number): Promise<string> {
    if (verb === "list") return patchedState(pid) === undefined ? "nothing" : "listed";
    const target = new ProcessTarget(pid, { timeoutMs: TIMEOUT_MS, images: this.#images });
    const { outcome, problems } = await target[verb](this.#livepatch.name);
    return problems[0]?.code ?? outcome;
  }

  async #ready(): Promise<Server> {
    if (this.#server !== undefined) return this.#server;
    const server = await Server.start([this.#program, "1"]);
    this.#server = server;
    this.starts++;
    const { outcome } = await new ProcessTarget(server.pid, { images: this.#images }).load(this.#livepatch);
    if (outcome !== "done") throw new Error(`the livepatch cannot be loaded: ${outcome}`);
    this.#layout = controlOf(server.pid);
    this.#record = remembered(server.pid);
    return server;
  }

  async #end(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  #forge(pid: number, random: Random): Buffer {
    const layout = this.#layout as ControlLayout;
    const record = mutated(this.#record, random);
    const json = Buffer.from(record);
    const number = numberOf(record);
    using memory = new ProcessMemory(pid);
    const slot = random() < 0.02 ? slotOf(json, number, 1) : slotOf(json, number);
    const at = Number.isSafeInteger(number) ? number : 1;
    memory.write(layout.slot(parityOf(at)), slot);
    // Sometimes as what a change that was killed has left.
    if (random() < 0.2) memory.write(layout.slot(parityOf(at + 1)), slot);
    memory.write(layout.generation, Buffer.from([at & 0xff]));
    return json;
  }
}

function numberOf(json: string): number {
  const found = /"number":(\d+)/.exec(json)?.[1];
  return found === undefined ? 1 : Number(found);
}

const NUMBERS = [0, 1, -1, 0.5, 4095, 2 ** 31, 2 ** 32, 2 ** 46, 2 ** 47 - 1, 2 ** 47, 2 ** 53, 1e300];
const STRINGS = [
  "",
  "x",
  "original",
  "__proto__",
  "\u001b[2J\n",
  "\u202e",
  "00",
  "e900000000",
  "90".repeat(16),
  "x".repeat(70_000),
];

/** The record with some things changed, as JSON of at most a slot's size. */
function mutated(record: Json, random: Random): string {
  let value = structuredClone(record) as Json;
  for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) value = changed(value, random);
  const text = random() < 0.01 ? "[".repeat(Math.floor(random() * MOST)) : JSON.stringify(value);
  return text.length > MOST ? text.slice(0, MOST) : text;
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** Something in it is another: the deeper it lies the likelier. */
function changed(value: Json, random: Random): Json {
  if (typeof value === "string" && value.startsWith("{") && random() < 0.9)
    return JSON.stringify(changed(JSON.parse(value) as Json, random));
  const isList = Array.isArray(value);
  if (typeof value === "object" && value !== null && (isList ? value.length : Object.keys(value).length) > 0) {
    if (random() < 0.85) {
      const keys = Object.keys(value);
      const key = pick(keys, random);
      const copy = (isList ? [...value] : { ...value }) as { [key: string]: Json };
      const inner = changed(copy[key] as Json, random);
      if (random() < 0.05) delete copy[key];
      else copy[key] = inner;
      return copy;
    }
    if (isList) return manyOf(value as readonly Json[], random);
  }
  return other(value, random);
}

function manyOf(list: readonly Json[], random: Random): Json {
  const size = JSON.stringify(list).length;
  const times = Math.floor(random() * (MOST / size / 2));
  return random() < 0.3 ? [] : Array.from({ length: Math.min(times, 20_000) }, () => list).flat();
}

function other(value: Json, random: Random): Json {
  if (random() < 0.1) return pick<Json>([null, [], {}, true, "", 0], random);
  if (typeof value === "number") return random() < 0.3 ? value + Math.floor(random() * 64) - 32 : pick(NUMBERS, random);
  if (typeof value === "string") return pick(STRINGS, random);
  if (typeof value === "boolean") return !value;
  return pick<Json>([null, 1, "x", [value], { value }], random);
}

/** Repeats for one seed (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
