echo late >/once-in
i=0
while ! grep -q late /once-out; do i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.1; done
