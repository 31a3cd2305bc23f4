cat /proc/version; dmesg | grep -q "lp alloc_empty_file"
