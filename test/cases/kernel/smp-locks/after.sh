cat /proc/version; dmesg | grep -q "lp fd_install"
