/** Attributes that change nothing but the code which uses what has them. */
import { type Item, isGroup, signOf, wordOf } from "./grouped.ts";

/** GCC's names, without the underscores around them. */
const HARMLESS = new Set(
  (
    "access address_space aligned alloc_align alloc_size always_inline artificial assume_aligned bitwise btf_decl_tag " +
    "btf_type_tag cleanup cold const context deprecated " +
    "designated_init error externally_visible fallthrough flatten force format format_arg gnu_inline hot hotpatch " +
    "indirect_branch leaf malloc may_alias " +
    "mode no_instrument_function no_profile_instrument_function no_sanitize no_sanitize_address no_sanitize_undefined " +
    "noclone noderef noinline nonnull nonstring noreturn nothrow packed patchable_function_entry pure returns_nonnull section sentinel " +
    "transparent_union unused vector_size warn_if_not_aligned warn_unused_result warning"
  ).split(" "),
);

/**
 * Whether the parenthesis of `__attribute__` holds nothing but harmless ones.
 * `used`, `constructor`, `alias`, `weak` and their like make code or symbols by
 * themselves, and what is not known may.
 */
export function isHarmless(argument: readonly Item[]): boolean {
  return attributesIn(argument).every(({ name, hasArgument }) => {
    // malloc(release) is an attribute of `release` too.
    return HARMLESS.has(name) && !(name === "malloc" && hasArgument);
  });
}

/** Whether an attribute's argument list has this one; `__name__` and `name` are one. */
export function hasAttribute(argument: readonly Item[], wanted: string): boolean {
  return attributesIn(argument).some(({ name }) => name === wanted);
}

/** Whether a word is the name of a harmless one, as it may be written. */
export function namesHarmless(word: string): boolean {
  return HARMLESS.has(word.replace(/^__(.*)__$/, "$1"));
}

interface Attribute {
  /** Empty where it is not understood. */
  readonly name: string;
  readonly hasArgument: boolean;
}

function attributesIn(argument: readonly Item[]): Attribute[] {
  const [list] = argument;
  if (argument.length !== 1 || !isGroup(list) || list.kind !== "()") return [{ name: "", hasArgument: false }];
  const attributes: Attribute[] = [];
  let start = 0;
  for (let at = 0; at <= list.items.length; at++) {
    if (at < list.items.length && signOf(list.items[at]) !== ",") continue;
    // Nothing between two commas is no attribute.
    if (at > start) {
      const name = wordOf(list.items[start]).replace(/^__(.*)__$/, "$1");
      attributes.push({ name, hasArgument: at > start + 1 });
    }
    start = at + 1;
  }
  return attributes;
}
