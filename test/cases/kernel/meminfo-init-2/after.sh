grep -q "^init2 " /proc/meminfo
