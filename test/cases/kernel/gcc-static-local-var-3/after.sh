date -s '2026-01-01 00:00:00'; dmesg | grep -q "lp settimeofday"
