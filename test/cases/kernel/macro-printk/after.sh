cat /proc/version; dmesg | grep -q "lp warn" && dmesg | grep -q "lp deferred" && dmesg | grep -q "lp info"
