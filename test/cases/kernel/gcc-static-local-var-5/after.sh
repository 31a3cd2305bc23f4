grep -q "^41 1 " /proc/version; grep -q "^42 2 " /proc/version
