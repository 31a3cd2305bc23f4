grep -q "suture=1" /proc/cmdline
