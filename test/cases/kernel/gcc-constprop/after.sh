echo 2 > /proc/sys/kernel/randomize_va_space; dmesg | grep -q "lp proc_get_long"
