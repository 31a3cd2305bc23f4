echo 4 > /proc/sys/vm/drop_caches
