[ "$(cat /proc/meminfo | grep reads)" = "reads: 1" ] && [ "$(cat /proc/meminfo | grep reads)" = "reads: 2" ]
