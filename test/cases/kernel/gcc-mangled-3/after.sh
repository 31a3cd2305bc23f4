df /proc > /dev/zero; dmesg | grep -q "lp statfs"
