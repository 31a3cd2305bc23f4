# A connection goes on: the number by which it is found was not drawn anew.
echo after >/once-in
i=0
while ! grep -q after /once-out; do i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.1; done
