# It sleeps in what the patched function has jumped to, and not in that function.
cat /proc/version >/slow-out 2>&1 </dev/null &
sleep 1
