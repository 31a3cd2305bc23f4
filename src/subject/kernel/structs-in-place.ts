/**
 * Of which structs the kernel reads what, where it lies, each time that it needs it. Each was looked up in
 * the source of 6.1 and 6.12, since no object shows it; of a struct that is not here, the kernel may have a copy.
 */
import type { ReadInPlace } from "../../diff/options.ts";

/**
 * Tables of functions of which no copy can be: in all of the source no variable and no member is one that
 * can be written, no memory of the size of one is asked for, and no function of one is kept past a call.
 */
const OPERATIONS = [
  ...["inode_operations", "address_space_operations", "dentry_operations"],
  ...["export_operations", "file_lock_operations", "dquot_operations", "quotactl_ops"],
  ...["iomap_ops", "iomap_writeback_ops", "xfs_item_ops"],
  ...["proc_ops", "sysfs_ops", "block_device_operations"],
  ...["header_ops", "ethnl_request_ops", "rpc_call_ops"],
];

/** What has a name, a mode or a size, for which fs/sysfs/file.c has kernfs make a node of its own; its functions are called in place. */
const ATTRIBUTES = [
  ...["bin_attribute", "device_attribute", "kobj_attribute", "driver_attribute"],
  ...["bus_attribute", "class_attribute", "module_attribute"],
];

const READ = [
  // lib/nlattr.c: at each message
  "nla_policy",
  // net/netlink/genetlink.c: the family keeps the table's address, and looks a command up in it at each request
  ...["genl_ops", "genl_small_ops", "genl_split_ops"],
  // fs/fs_parser.c: at each option
  "fs_parameter_spec",
  // drivers/base, drivers/pci, drivers/usb/core, drivers/acpi/bus.c, drivers/of/device.c: at each match of a device
  ...["pci_device_id", "usb_device_id", "acpi_device_id", "of_device_id", "platform_device_id"],
];

/** By the name of the struct. */
export const READ_IN_PLACE: ReadonlyMap<string, ReadInPlace> = new Map([
  ...each(OPERATIONS, { functions: true }),
  // fs/seq_file.c: m->op at each call, and nobody holds one of its functions meanwhile
  ...each(["seq_operations"], { functions: true, newFunctions: true }),
  ...each(ATTRIBUTES, { functions: true, copied: true }),
  // Whose functions are copied or called when they are registered, too: fs/sysfs/group.c (is_visible),
  // drivers/base/regmap/regmap.c. An attribute alone has none.
  ...each(["attribute", "attribute_group", "regmap_config"], { copied: true }),
  ...each(READ, { contents: true }),
  // security/keys/key.c: in the list of types, and by each key
  ...each(["key_type"], { pointers: true }),
  // drivers/pci/pci-driver.c: the driver of each device; its table is gone through at each probe
  ...each(["pci_driver"], { pointers: true }),
]);

function each(structs: readonly string[], is: ReadInPlace): (readonly [string, ReadInPlace])[] {
  return structs.map((struct) => [struct, is]);
}
