# What nc reads must not end, or it closes its half and the other one ends: both read a pipe that the shell's read-write end keeps.
ifconfig lo 127.0.0.1 up
mkfifo /once-in /once-back
nc -l -p 5555 <>/once-back >/once-out 2>&1 &
while ! cat /proc/net/tcp /proc/net/tcp6 | grep -q ':15B3 .* 0A '; do sleep 0.1; done
nc 127.0.0.1 5555 <>/once-in >/dev/null 2>&1 &
echo before >/once-in
while ! grep -q before /once-out; do sleep 0.1; done
