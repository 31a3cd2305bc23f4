grep "^level 0 " /proc/version
