modprobe dummy numdummies=1; dmesg | grep -q "lp dummy_setup"; S=$?; rmmod dummy; [ $S = 0 ]
