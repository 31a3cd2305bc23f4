cat /proc/self/personality | grep -q "^1 " && cat /proc/self/personality | grep -q "^2 "
