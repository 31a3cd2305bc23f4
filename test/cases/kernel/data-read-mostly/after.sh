for i in 1 2 3 4 5; do echo x > /tmp/f$i; mv /tmp/f$i /tmp/g$i; rm /tmp/g$i; done; cat /proc/*/stat > /dev/zero; sleep 3; dmesg | grep -q "lp read mostly"
