grep -q "^init " /proc/meminfo
