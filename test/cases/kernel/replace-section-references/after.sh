grep -q " Q " /proc/self/stat
