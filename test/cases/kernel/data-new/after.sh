grep -q "reads: 1" /proc/meminfo; grep -q "reads: 2" /proc/meminfo
