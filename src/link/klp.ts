/** The structs that the kernel's livepatch core takes: klp_patch, klp_object, klp_func. Source: linux/livepatch.h; layouts from the kernel's BTF. */
import type { ByteLayout, KernelLayouts } from "../btf/kernel-layouts.ts";
import { SutureError } from "../lib/error.ts";
import type { FieldTarget, Image } from "./image.ts";

/** One struct klp_func. `sympos` counts equal names of the object from 1; 0 where there is one alone. */
export interface KlpFunc {
  readonly name: string;
  readonly sympos: number;
  readonly newFunction: FieldTarget;
}

/** Member of struct klp_callbacks. */
export type CallbackName = "pre_patch" | "post_patch" | "pre_unpatch" | "post_unpatch";
/** A function of the livepatch as a callback. */
export interface Callback {
  readonly target: FieldTarget;
  /** From the target. */
  readonly addend: number;
}

/** The callbacks of one object, of each kind one. */
export type Callbacks = { readonly [Name in CallbackName]?: Callback };

/** One struct klp_object; `name` is `vmlinux` or the module's. */
export interface KlpObject {
  readonly name: string;
  readonly funcs: readonly KlpFunc[];
  readonly callbacks: Callbacks;
}

/** How this kernel lays a struct out. Throws `NO_LIVEPATCH_CORE` where its types have none of that name. */
export function layoutOf(layouts: KernelLayouts, name: keyof KernelLayouts["structs"]): ByteLayout {
  const layout = layouts.structs[name];
  if (layout !== undefined) return layout;
  throw new SutureError("NO_LIVEPATCH_CORE", `the kernel has no struct ${name}`, {
    hint: "take a kernel that is configured with CONFIG_LIVEPATCH and CONFIG_DEBUG_INFO_BTF",
  });
}

/** Bytes from the struct's start to a member. Throws `NO_LIVEPATCH_CORE` where it has no such member. */
export function offsetIn(layout: ByteLayout, struct: string, member: string): number {
  const offset = layout.offsets[member];
  if (offset !== undefined) return offset;
  throw new SutureError("NO_LIVEPATCH_CORE", `the kernel's struct ${struct} has no member ${member}`, {
    hint: "this kernel's livepatch core is not known to this version",
  });
}

/** One struct klp_patch. */
export interface KlpPatch {
  readonly objects: readonly KlpObject[];
  /** Where an array of struct klp_state lies. */
  readonly states: FieldTarget | undefined;
  readonly replace: boolean;
  /** struct module of the module that it is in. */
  readonly thisModule: FieldTarget;
}

/** @returns where `struct klp_patch` lies */
export function placeKlpPatch(
  { objects, states, replace, thisModule }: KlpPatch,
  layouts: KernelLayouts,
  image: Image,
): FieldTarget & { readonly kind: "section" } {
  const patch = layoutOf(layouts, "klp_patch");
  const object = layoutOf(layouts, "klp_object");
  const func = layoutOf(layouts, "klp_func");
  const section = image.variables();
  const pointer = (offset: number, target: FieldTarget, addend = 0) =>
    section.fields.push({ offset, type: image.arch.elf.relocations.pointer, target, addend });
  const reserve = (size: number) => section.append(Buffer.alloc(size), size, 8);

  const funcLists = objects.map(({ funcs }) => {
    const at = reserve((funcs.length + 1) * func.size);
    for (const [i, { name, newFunction }] of funcs.entries()) {
      const from = at + i * func.size;
      pointer(from + offsetIn(func, "klp_func", "old_name"), image.string(name));
      pointer(from + offsetIn(func, "klp_func", "new_func"), newFunction);
    }
    return at;
  });
  const sympos: [number, number][] = objects.flatMap(({ funcs }, k) =>
    funcs.map(({ sympos: value }, i): [number, number] => [
      (funcLists[k] ?? 0) + i * func.size + offsetIn(func, "klp_func", "old_sympos"),
      value,
    ]),
  );
  const objectList = reserve((objects.length + 1) * object.size);
  for (const [i, { name, callbacks }] of objects.entries()) {
    const from = objectList + i * object.size;
    if (name !== "vmlinux") pointer(from + offsetIn(object, "klp_object", "name"), image.string(name));
    pointer(from + offsetIn(object, "klp_object", "funcs"), { kind: "section", section, offset: funcLists[i] ?? 0 });
    placeCallbacks(callbacks, from + offsetIn(object, "klp_object", "callbacks"), layouts, pointer);
  }
  const at = reserve(patch.size);
  pointer(at + offsetIn(patch, "klp_patch", "mod"), thisModule);
  pointer(at + offsetIn(patch, "klp_patch", "objs"), { kind: "section", section, offset: objectList });
  if (states !== undefined) pointer(at + offsetIn(patch, "klp_patch", "states"), states);
  section.write64(sympos);
  if (replace) section.write8(at + offsetIn(patch, "klp_patch", "replace"), 1);
  return { kind: "section", section, offset: at };
}

function placeCallbacks(
  callbacks: Callbacks,
  at: number,
  layouts: KernelLayouts,
  pointer: (offset: number, target: FieldTarget, addend: number) => void,
): void {
  const layout = layoutOf(layouts, "klp_callbacks");
  for (const [name, callback] of Object.entries(callbacks)) {
    if (callback !== undefined) pointer(at + offsetIn(layout, "klp_callbacks", name), callback.target, callback.addend);
  }
}
