grep "^41 42 " /proc/version
