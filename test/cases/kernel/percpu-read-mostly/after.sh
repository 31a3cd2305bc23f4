grep "^8 6 4 " /proc/version
