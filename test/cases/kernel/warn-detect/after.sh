grep -q "^warn " /proc/loadavg
