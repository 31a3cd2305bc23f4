modprobe dummy numdummies=1; dmesg | grep -q "lp external word"; S=$?; rmmod dummy; [ $S = 0 ]
