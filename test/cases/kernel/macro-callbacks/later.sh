dmesg | grep -q "lp pre-unpatch" && dmesg | grep -q "lp post-unpatch"
