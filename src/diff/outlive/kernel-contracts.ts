/**
 * Functions of the kernel whose pointers are of use only during the call. Each
 * was looked up in the kernel's code: what formats, compares, copies bytes, takes
 * a lock, or calls back before it returns.
 */
import { type ContractGroup, Contracts } from "./contract.ts";

const USES = { copies: false, returns: undefined, keeps: [] };
const COPIES = { copies: true, returns: undefined, keeps: [] };

const KERNEL_CONTRACTS: readonly (ContractGroup & { readonly isWithoutLockdep?: true })[] = [
  {
    ...USES,
    // Text is formatted before they return; of a debug site the module's list is told when the module goes.
    names: `_printk _printk_deferred vprintk vprintk_default __warn_printk __SCT__WARN_trap warn_slowpath_fmt panic
      _dev_emerg _dev_alert _dev_crit _dev_err _dev_warn _dev_notice _dev_info _dev_printk dev_printk_emit
      dev_err_probe netdev_emerg netdev_alert netdev_crit netdev_err netdev_warn netdev_notice netdev_info
      netdev_printk __dynamic_pr_debug __dynamic_dev_dbg __dynamic_netdev_dbg __dynamic_ibdev_dbg
      ibdev_emerg ibdev_alert ibdev_crit ibdev_err ibdev_warn ibdev_notice ibdev_info
      __drm_err drm_dev_printk __drm_dev_dbg ___drm_dbg __drm_printfn_seq_file
      ata_port_printk ata_link_printk ata_dev_printk sdev_prefix_printk scmd_printk
      print_hex_dump hex_dump_to_buffer dump_stack dump_stack_lvl ___ratelimit
      dev_set_name kobject_set_name _udf_err _udf_warn nf_log_packet __ext4_msg __ext4_warning __ext4_warning_inode xfs_printk_level f2fs_printk _btrfs_printk btrfs_printk
      snprintf scnprintf vsnprintf vscnprintf sprintf vsprintf kasprintf kvasprintf devm_kasprintf
      sysfs_emit sysfs_emit_at seq_printf seq_vprintf seq_puts seq_putc seq_put_decimal_ull
      seq_put_decimal_ull_width seq_put_decimal_ll seq_put_hex_ll seq_escape_mem seq_hex_dump seq_pad
      trace_seq_printf trace_seq_puts trace_seq_putc trace_print_flags_seq trace_print_symbols_seq
      audit_log audit_log_format audit_log_untrustedstring audit_log_n_untrustedstring audit_log_n_hex`,
  },
  {
    ...USES,
    names: `strcmp strncmp strcasecmp strncasecmp strlen strnlen memcmp bcmp strspn strcspn sysfs_streq
      match_string __sysfs_match_string kstrtoint kstrtouint kstrtobool kstrtoull kstrtoll kstrtol_internal
      _kstrtol _kstrtoul kstrtou8 kstrtos8 kstrtou16 kstrtos16 sscanf vsscanf nla_strcmp nla_memcmp
      __check_object_size __copy_overflow copy_overflow usercopy_abort fortify_panic __fortify_panic
      refcount_warn_saturate __list_add_valid __list_del_entry_valid __list_add_valid_or_report
      __list_del_entry_valid_or_report __ubsan_handle_* __stack_chk_fail
      __might_sleep __might_resched __might_fault __cond_resched __cond_resched_lock
      __local_bh_enable_ip __local_bh_disable_ip __SCT__cond_resched __SCT__might_resched pv_ops
      btf_id_set_contains btf_id_set8_contains
      __fentry__ __get_user_* __put_user_* __sw_hweight* __SCT__preempt_schedule* preempt_schedule*`,
  },
  {
    // The buffer has numbers of code, which are only shown, and formats of which the loader made copies that stay (kernel/trace/trace_printk.c).
    ...USES,
    names: "__trace_bprintk __trace_bputs __trace_printk __trace_puts",
  },
  {
    // What calls back does so before it returns.
    ...USES,
    names: `sort sort_r list_sort stop_machine stop_machine_cpuslocked idr_for_each bus_for_each_dev bus_for_each_drv
      device_for_each_child device_for_each_child_reverse driver_for_each_device class_for_each_device
      iterate_supers iterate_supers_type iterate_fd walk_page_range walk_page_vma walk_page_range_novma
      apply_to_page_range pci_walk_bus netdev_walk_all_upper_dev_rcu netdev_walk_all_lower_dev
      out_of_line_wait_on_bit out_of_line_wait_on_bit_lock klp_shadow_alloc klp_shadow_get_or_alloc
      klp_shadow_free klp_shadow_free_all klp_shadow_get`,
  },
  {
    // Locks and keys of the livepatch's own: who waits for one has a stack that shows it.
    ...USES,
    names: `mutex_lock mutex_unlock mutex_trylock mutex_lock_interruptible mutex_lock_killable mutex_is_locked
      _raw_spin_lock* _raw_spin_trylock* _raw_spin_unlock* _raw_read_* _raw_write_* queued_read_lock_slowpath
      queued_write_lock_slowpath native_queued_spin_lock_slowpath __raw_callee_save_* down_read up_read down_write
      up_write down_read_trylock down_write_trylock down_read_killable down_write_killable
      down_read_interruptible downgrade_write down up down_interruptible down_killable down_trylock down_timeout
      __wake_up __wake_up_sync __wake_up_sync_key complete complete_all wait_for_completion
      wait_for_completion_timeout wait_for_completion_interruptible wait_for_completion_killable
      wait_for_completion_interruptible_timeout prepare_to_wait prepare_to_wait_event prepare_to_wait_exclusive
      finish_wait static_key_slow_inc static_key_slow_dec static_key_slow_inc_cpuslocked
      static_key_slow_dec_cpuslocked static_key_enable static_key_disable static_key_enable_cpuslocked
      static_key_disable_cpuslocked static_key_count`,
  },
  {
    ...USES,
    isWithoutLockdep: true,
    names:
      "__mutex_init mutex_init_generic __init_rwsem __init_waitqueue_head __init_swait_queue_head __raw_spin_lock_init __rwlock_init",
  },
  { ...USES, isWithoutLockdep: true, keeps: [1], names: "init_timer_key timer_init_key" },
  {
    ...COPIES,
    names: `copy_user_* kstrdup kstrdup_const kstrndup kmemdup kmemdup_nul devm_kstrdup devm_kmemdup strscpy strscpy_pad strlcpy
      strlcat sized_strscpy _copy_to_user _copy_to_iter _copy_from_iter memcpy_toio __memcpy_toio seq_write
      trace_seq_putmem skb_store_bits nla_put nla_put_64bit nla_put_nohdr nla_append nla_strscpy nla_memcpy
      __request_module request_firmware firmware_request_nowarn alloc_workqueue alloc_workqueue_noprof`,
  },
  {
    copies: true,
    returns: 0,
    keeps: [],
    names: "memcpy memmove __memcpy __memmove strcpy strncpy strcat strncat stpcpy memset __memset",
  },
  {
    copies: false,
    returns: 0,
    keeps: [],
    names: "strchr strrchr strchrnul strnchr strstr strnstr strpbrk memchr memscan memchr_inv skip_spaces",
  },
  { copies: false, returns: 1, keeps: [], names: "bsearch hid_match_id" },
];

/** @param hasLockdep whether the kernel keeps the names and classes of locks (CONFIG_LOCKDEP) */
export function kernelContracts(hasLockdep: boolean): Contracts {
  return new Contracts(KERNEL_CONTRACTS.filter(({ isWithoutLockdep }) => !(isWithoutLockdep === true && hasLockdep)));
}
