uptime | grep -q " 4 days"
