grep -q "newpid 1 " /proc/1/status; grep -q "newpid 2 " /proc/1/status && grep -q "newpid 1 " /proc/2/status
