grep -q "^armed " /proc/version
