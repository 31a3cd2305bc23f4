! grep -q reads /proc/meminfo
