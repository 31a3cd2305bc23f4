# Opened before the load, read after the unload.
sh -c 'exec 7</proc/crypto; while [ ! -e /go-crypto ]; do sleep 0.1; done; cat <&7 > /read-late; echo end >> /read-late' </dev/zero >/dev/zero 2>&1 &
sleep 1
