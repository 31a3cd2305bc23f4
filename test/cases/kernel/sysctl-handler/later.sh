echo 55 > /proc/sys/kernel/randomize_va_space && [ "$(cat /proc/sys/kernel/randomize_va_space)" = 55 ] && echo 2 > /proc/sys/kernel/randomize_va_space
