/**
 * Tables of functions that the kernel copies, as a whole or function by function, or of whose functions it
 * makes static calls: what is written over such a table is not in force where the copy is used. Looked up in
 * the source of 6.1 and 6.12. Those that have their place in another struct are found by that, where the types
 * of the unit or of the image show it; they are here where it may be another module's.
 */

/** By the struct that they are. */
export const COPIED_OPERATIONS: ReadonlySet<string> = new Set([
  // net/ipv4/arp.c, net/ipv6/ndisc.c, net/core/neighbour.c: each neighbour's `output`
  "neigh_ops",
  // net/mptcp/subflow.c, net/smc/af_smc.c
  ...["inet_connection_sock_af_ops", "tcp_request_sock_ops"],
  // net/tls/tls_main.c, net/xfrm/espintcp.c
  "proto_ops",
  // net/dsa/master.c (conduit.c)
  "ethtool_ops",
  // kernel/events/core.c, security/keys/trusted-keys/trusted_core.c: static calls
  ...["perf_guest_info_callbacks", "trusted_key_ops"],
  // kernel/cgroup/cgroup.c
  "kernfs_ops",
  // fs/coda/file.c: the host's
  "vm_operations_struct",
  // fs/smb/server/connection.c
  "ksmbd_conn_ops",
  // mm/damon/core.c
  "damon_operations",
  // kernel/irq/irq_sim.c
  "irq_sim_ops",
  // drivers/base/power: a domain's
  "dev_pm_ops",
  // drivers/base/regmap/regmap.c: `read`, `write` and `reg_update_bits`
  "regmap_bus",
  // drivers/cpufreq/intel_pstate.c
  "pstate_funcs",
  // drivers/remoteproc/remoteproc_core.c
  "rproc_ops",
  // drivers/thermal: thermal_of.c, thermal_core.c
  "thermal_zone_device_ops",
  // drivers/tty/serial/8250
  "uart_ops",
  // drivers/parport
  "parport_operations",
  // drivers/net/wireless: ath10k, brcmfmac, mt76, mwifiex, rtw89
  ...["ieee80211_ops", "cfg80211_ops", "mt76_bus_ops", "mt76_mcu_ops"],
  // drivers/i2c/i2c-mux.c, include/linux/gpio/driver.h, drivers/mmc/host, drivers/ptp/ptp_clock.c
  ...["i2c_algorithm", "irq_domain_ops", "mmc_host_ops", "posix_clock_operations"],
  // drivers/video/fbdev, include/sound, drivers/regulator, include/linux/blk-crypto-profile.h, drivers/vdpa
  ...["fb_ops", "hda_codec_ops", "snd_pcm_ops", "regulator_ops", "blk_crypto_ll_ops", "vdpa_config_ops"],
]);

/** By their name: of most others of their kind nobody has a copy. */
export const COPIED_TABLES: ReadonlySet<string> = new Set([
  // drivers/tty/pty.c: ptmx_fops
  "tty_fops",
  // fs/fuse/cuse.c
  "fuse_dev_operations",
  // net/atm/mpc.c
  "lec_netdev_ops",
  // arch/x86/pci/intel_mid_pci.c
  "intel_mid_pci_ops",
]);
