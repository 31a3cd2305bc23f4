# Opened before the load, read after the unload.
sh -c 'exec 7</proc/crypto; while [ ! -e /go-silent ]; do sleep 0.1; done; cat <&7 > /read-silent; echo end >> /read-silent' </dev/zero >/dev/zero 2>&1 &
sleep 1
