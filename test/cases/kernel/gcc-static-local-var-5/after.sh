cat /proc/version | grep -q "^41 1 " && cat /proc/version | grep -q "^42 2 "
