grep -q "^plain " /proc/version
