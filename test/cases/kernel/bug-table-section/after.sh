grep -q "^bug " /proc/uptime
