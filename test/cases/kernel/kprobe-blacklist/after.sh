mount -t debugfs d /sys/kernel/debug 2>/dev/null
grep "^careful" /proc/version && grep lp_careful /sys/kernel/debug/kprobes/blacklist
