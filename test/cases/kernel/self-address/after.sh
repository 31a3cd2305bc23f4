grep -q "^version_proc_show Linux" /proc/version || exit 1
# An open file that calls the function by the address that it gave itself.
sh -c 'exec 7</proc/version; head -c 3 <&7 >/armed; while [ ! -e /go-self ]; do sleep 0.1; done; dd bs=1 skip=2 count=4 <&7 >/called 2>/dev/null; echo $? >/done-self' >/dev/null 2>&1 </dev/null &
while [ ! -s /armed ]; do sleep 0.1; done
