import { type Refusal, refusal } from "../patch/refusal.ts";

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

/**
 * Structs whose contents the kernel reads where they lie, each time that it needs them. Looked up
 * like the others; a constant of any other struct may have been copied when it was registered.
 */
export const READ_IN_PLACE: ReadonlySet<string> = new Set([
  // lib/nlattr.c: at each message
  "nla_policy",
  // net/netlink/genetlink.c: the family keeps the table's address, and looks a command up in it at each request
  ...["genl_ops", "genl_small_ops", "genl_split_ops"],
  // fs/fs_parser.c: at each option
  "fs_parameter_spec",
  // drivers/base, drivers/pci, drivers/usb/core, drivers/acpi/bus.c, drivers/of/device.c: at each match of a device
  ...["pci_device_id", "usb_device_id", "acpi_device_id", "of_device_id", "platform_device_id"],
]);

/**
 * Structs whose names, modes and sizes the kernel copies when they are registered: written over
 * where they lie, they would say what is not so. Source: fs/sysfs/file.c, fs/sysfs/group.c (kernfs
 * has a node of its own for each), drivers/base/regmap/regmap.c.
 */
export const COPIED_AT_REGISTRATION: ReadonlySet<string> = new Set([
  ...["attribute", "bin_attribute", "device_attribute", "kobj_attribute"],
  ...["driver_attribute", "bus_attribute", "class_attribute", "module_attribute", "attribute_group"],
  "regmap_config",
]);

/** What is said of a constant that would have to be written over, and of which the kernel may have a copy. */
export function notReadInPlace(name: string, where: string): Refusal {
  return refusal(
    "CONSTANT_IN_USE",
    `the constant ${name} is changed, and is in use where it lies; it is of no type of which it is known that the kernel reads it there each time: what was made of it when it was registered would stay`,
    where,
    "leave it as it is, and decide in the functions that it names or that read it",
  );
}

/** What is said of a constant of one of these that changes in more than its functions. */
export function copiedAtRegistration(name: string, where: string): Refusal {
  return refusal(
    "CONSTANT_IN_USE",
    `the constant ${name} is changed, of which the kernel copies name, mode and size when it is registered: what is registered stays as it was`,
    where,
    "leave it as it is, and decide in the functions that it names",
  );
}
