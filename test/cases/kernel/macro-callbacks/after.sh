grep -q "^callbacks " /proc/version; dmesg | grep -q "lp pre-patch of vmlinux" && dmesg | grep -q "lp post-patch"
