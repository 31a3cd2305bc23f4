grep -q "^new " /proc/uptime
