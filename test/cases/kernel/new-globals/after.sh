cat /proc/meminfo | grep -q "^43 "
