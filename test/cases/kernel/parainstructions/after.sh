for i in 1 2 3; do modprobe dummy; rmmod dummy; done; dmesg | grep -q "lp flush_tlb"
