grep -q "^42 42" /proc/meminfo
