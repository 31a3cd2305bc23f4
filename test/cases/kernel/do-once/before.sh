ifconfig lo 127.0.0.1 up
mkfifo /once-in
nc -l -p 5555 </dev/null >/once-out 2>&1 &
sleep 1
nc 127.0.0.1 5555 </once-in >/dev/null 2>&1 &
sh -c 'exec 7>/once-in; echo before >&7; while [ ! -e /once-go ]; do sleep 0.1; done; echo after >&7; while [ ! -e /once-end ]; do sleep 0.1; done; echo late >&7' </dev/null >/dev/null 2>&1 &
while ! grep -q before /once-out; do sleep 0.1; done
