/**
 * Structs that the kernel keeps by address from the time they are registered, and
 * calls through, or reads, where they lie: a pointer that is written into one
 * is in force from then on, and none of it is left anywhere once it is taken back.
 * Each was looked up in the kernel's code; there is no way to see it in an object.
 */
export const USED_IN_PLACE: ReadonlySet<string> = new Set([
  // security/keys/key.c: in the list of types, and by each key
  "key_type",
  // kernel/params.c: by the attributes of /sys/module, under the module's lock of parameters
  "kernel_param",
  // drivers/pci/pci-driver.c: the driver of each device; its table is gone through at each probe
  "pci_driver",
]);

/**
 * Structs of functions through which the kernel calls, each time through the table itself, and
 * of which nobody keeps a function's address or makes a copy: a function in one can be another.
 * Looked up like the others.
 */
export const CALLED_IN_PLACE: ReadonlySet<string> = new Set([
  // fs/seq_file.c: m->op at each call
  "seq_operations",
]);
