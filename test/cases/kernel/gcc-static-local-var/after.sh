echo 1 > /proc/sys/vm/drop_caches; dmesg | tail -4 | grep -q "lp stfu 4"
