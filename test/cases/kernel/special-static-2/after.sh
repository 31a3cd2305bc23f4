sh -c true; sleep 1; dmesg | grep -q "lp wake_up_new_task"
