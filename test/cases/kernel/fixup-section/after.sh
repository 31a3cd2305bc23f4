ls / > /dev/zero; dmesg | grep -q "lp filldir64"
