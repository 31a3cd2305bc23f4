newpid() { cat "/proc/$1/status" | grep -o "newpid [0-9]*"; }
[ "$(newpid 1)" = "newpid 1" ] && [ "$(newpid 1)" = "newpid 2" ] && [ "$(newpid 2)" = "newpid 1" ]
